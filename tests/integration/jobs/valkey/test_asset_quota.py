"""A tenant's quota for assets, counted in the real Valkey."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from redis import Redis

from jobs.assets import Asset, AssetKind
from jobs.errors import AssetRoomUsedUp
from jobs.settings import MEGABYTE, Settings
from jobs.valkey.asset_quota import LEAST_BYTES, AssetRoom, assets_key
from tests.waiting import wait_for


@pytest.fixture
def room(valkey_url: str) -> AssetRoom:
    """Ten megabytes per tenant."""
    return AssetRoom.connect(Settings(valkey_url=valkey_url, assets_max_bytes=10 * MEGABYTE))


def asset(megabytes: float, tenant: str = "acme") -> Asset:
    return Asset.create(tenant, AssetKind.AUDIO, round(megabytes * MEGABYTE), "audio/wav")


def is_taken(room: AssetRoom, wanted: Asset) -> bool:
    try:
        room.take(wanted)
    except AssetRoomUsedUp:
        return False
    return True


def test_assets_that_fit_are_taken_and_the_one_that_does_not_is_told_when(room: AssetRoom) -> None:
    room.take(asset(6))
    room.take(asset(4))
    with pytest.raises(
        AssetRoomUsedUp, match="take up 10000000 bytes; the quota is 10000000"
    ) as full:
        room.take(asset(0.5))
    assert timedelta(hours=23) < full.value.wait <= timedelta(hours=24)


def test_each_tenant_has_room_of_its_own(room: AssetRoom) -> None:
    room.take(asset(10))
    room.take(asset(10, "other"))
    assert not is_taken(room, asset(1))


def test_the_smallest_assets_use_the_room_up_as_well(room: AssetRoom) -> None:
    most = 10 * MEGABYTE // LEAST_BYTES
    assert [is_taken(room, asset(1e-6)) for _ in range(most + 1)] == [True] * most + [False]


def test_of_many_at_once_none_goes_over(room: AssetRoom) -> None:
    with ThreadPoolExecutor(8) as pool:
        taken = [*pool.map(lambda _: is_taken(room, asset(1)), range(24))]
    assert sum(taken) == 10


def test_what_was_given_back_can_be_taken_again(room: AssetRoom) -> None:
    room.take(first := asset(10))
    room.give_back(first)
    room.take(asset(10))


def test_the_room_of_an_expired_asset_is_free_and_nothing_is_kept_of_it(
    room: AssetRoom, valkey_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.valkey.asset_quota.KEPT", timedelta(seconds=0.5))
    room.take(asset(10))
    wait_for(lambda: is_taken(room, asset(10)))
    with Redis.from_url(valkey_url) as client:
        assert client.zcard(assets_key("acme")) == 1
        assert client.ttl(assets_key("acme")) > 0
