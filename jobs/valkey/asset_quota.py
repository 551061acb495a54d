"""Quota for a tenant's assets in the object store, uploaded or not.

    amigo:assets:{tenant}    sorted set: "{id} {bytes}" of each asset by the time it expires

An asset counts from the request for its upload until it expires, because the object store does not
report completed uploads.
"""

from datetime import datetime, timedelta
from typing import Self, cast

from redis import Redis
from redis.client import Pipeline

from jobs.assets import KEPT, Asset
from jobs.errors import AssetQuotaExceeded
from jobs.settings import MEGABYTE, Settings
from jobs.valkey.connection import connect, read_clock, score, transact, translated_errors

MIN_BYTES = MEGABYTE // 10
"""Minimum size counted per asset, so that millions of them cannot be registered."""


def assets_key(tenant: str) -> str:
    """Return the key of a tenant's assets."""
    return f"amigo:assets:{tenant}"


class AssetQuota:
    """The asset quota of each tenant. Every method may raise StoreUnavailable."""

    def __init__(self, client: Redis, max_bytes: int) -> None:
        """Set a quota of `max_bytes` per tenant, counted in Valkey; the client must decode
        responses.
        """
        self._client = client
        self._max_bytes = max_bytes

    @classmethod
    def connect(cls, settings: Settings) -> Self:
        """Return the quota given by the settings, without connecting."""
        return cls(connect(settings.valkey_url), settings.assets_max_bytes)

    def take(self, asset: Asset) -> None:
        """Count an asset against the quota; concurrent calls cannot exceed it.

        Raises:
            AssetQuotaExceeded: the asset does not fit into the quota.
        """
        key = assets_key(asset.tenant)

        def count(pipe: Pipeline) -> None:
            now = read_clock(pipe)
            kept = cast(
                "list[tuple[str, float]]",
                pipe.zrange(key, f"({score(now)}", "+inf", byscore=True, withscores=True),
            )
            taken = sum(int(member.partition(" ")[2]) for member, _ in kept)
            if kept and taken + _counted(asset) > self._max_bytes:
                raise AssetQuotaExceeded(taken, self._max_bytes, _until(kept[0][1], now))
            pipe.multi()
            pipe.zremrangebyscore(key, "-inf", score(now))
            pipe.zadd(key, {_member(asset): score(now + KEPT)})
            pipe.expire(key, KEPT + timedelta(hours=1))

        transact(self._client, count, key)

    def give_back(self, asset: Asset) -> None:
        """Stop counting an asset whose registration failed."""
        with translated_errors():
            self._client.zrem(assets_key(asset.tenant), _member(asset))


def _member(asset: Asset) -> str:
    return f"{asset.id} {_counted(asset)}"


def _counted(asset: Asset) -> int:
    return max(asset.size, MIN_BYTES)


def _until(micros: float, now: datetime) -> timedelta:
    return timedelta(microseconds=micros - score(now))
