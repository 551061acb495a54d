"""A tenant's quota for assets, counted in the real Valkey."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from redis import Redis

from jobs.assets import Asset, AssetKind
from jobs.errors import AssetQuotaExceeded
from jobs.settings import MEGABYTE, Settings
from jobs.valkey.asset_quota import MIN_BYTES, AssetQuota, assets_key
from tests.waiting import wait_for


@pytest.fixture
def quota(valkey_url: str) -> AssetQuota:
    """Ten megabytes per tenant."""
    return AssetQuota.connect(Settings(valkey_url=valkey_url, assets_max_bytes=10 * MEGABYTE))


def asset(megabytes: float, tenant: str = "acme") -> Asset:
    return Asset.create(tenant, AssetKind.AUDIO, round(megabytes * MEGABYTE), "audio/wav")


def is_taken(quota: AssetQuota, wanted: Asset) -> bool:
    try:
        quota.take(wanted)
    except AssetQuotaExceeded:
        return False
    return True


def test_an_asset_beyond_the_quota_is_rejected_with_the_waiting_time(
    quota: AssetQuota,
) -> None:
    quota.take(asset(6))
    quota.take(asset(4))
    with pytest.raises(
        AssetQuotaExceeded, match="take up 10000000 bytes; the quota is 10000000"
    ) as full:
        quota.take(asset(0.5))
    assert timedelta(hours=23) < full.value.wait <= timedelta(hours=24)


def test_each_tenant_has_its_own_quota(quota: AssetQuota) -> None:
    quota.take(asset(10))
    quota.take(asset(10, "other"))
    assert not is_taken(quota, asset(1))


def test_tiny_assets_use_up_the_quota_too(quota: AssetQuota) -> None:
    most = 10 * MEGABYTE // MIN_BYTES
    assert [is_taken(quota, asset(1e-6)) for _ in range(most + 1)] == [True] * most + [False]


def test_concurrent_registrations_cannot_exceed_the_quota(quota: AssetQuota) -> None:
    with ThreadPoolExecutor(8) as pool:
        taken = [*pool.map(lambda _: is_taken(quota, asset(1)), range(24))]
    assert sum(taken) == 10


def test_a_released_asset_frees_its_quota(quota: AssetQuota) -> None:
    quota.take(first := asset(10))
    quota.give_back(first)
    quota.take(asset(10))


def test_an_expired_asset_frees_its_quota_and_leaves_nothing(
    quota: AssetQuota, valkey_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.valkey.asset_quota.KEPT", timedelta(seconds=0.5))
    quota.take(asset(10))
    wait_for(lambda: is_taken(quota, asset(10)))
    with Redis.from_url(valkey_url) as client:
        assert client.zcard(assets_key("acme")) == 1
        assert client.ttl(assets_key("acme")) > 0
