"""How often a key may ask, counted in Valkey and told in the RateLimit headers of every answer.

The headers are those of draft-ietf-httpapi-ratelimit-headers-10.
"""

import math
import time
from dataclasses import dataclass
from typing import Self

from limits import RateLimitItemPerMinute
from limits.storage import RedisStorage
from limits.strategies import MovingWindowRateLimiter
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from jobs.settings import Settings
from jobs.valkey.connection import connect, translated_errors

WINDOW_SECONDS = 60


@dataclass(frozen=True)
class Standing:
    """What a key has left of its requests; `wait` is the seconds until it has more."""

    ceiling: int
    remaining: int
    wait: int

    def headers(self) -> dict[str, str]:
        """Return the headers that tell it."""
        return {
            "RateLimit-Policy": f'"requests";q={self.ceiling};w={WINDOW_SECONDS}',
            "RateLimit": f'"requests";r={self.remaining};t={self.wait}',
        }


class RequestLimits:
    """Counts requests in a moving window: in no 60 seconds more get through than may."""

    def __init__(self, storage: RedisStorage) -> None:
        self._limiter = MovingWindowRateLimiter(storage)

    @classmethod
    def connect(cls, settings: Settings) -> Self:
        """Count in the Valkey that the settings name; nothing is sent yet."""
        url = settings.valkey_url
        pool = connect(url).connection_pool
        return cls(RedisStorage(url, connection_pool=pool, key_prefix="amigo:requests"))

    def count(self, key_id: str, ceiling: int) -> tuple[bool, Standing]:
        """Count a request; return whether it may be served, and what the key has left.

        Raises:
            StoreUnavailable: Valkey does not answer.
        """
        item = RateLimitItemPerMinute(ceiling)
        with translated_errors():
            may_pass = self._limiter.hit(item, key_id)
            stats = self._limiter.get_window_stats(item, key_id)
        wait = max(1, math.ceil(stats.reset_time - time.time()))
        return may_pass, Standing(ceiling, stats.remaining, wait)


class RateLimitHeaders:
    """ASGI middleware: tells each caller that has a limit how it stands."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and its answer with the headers."""

        async def send_with_standing(message: Message) -> None:
            standing = scope.get("state", {}).get("standing")
            if message["type"] == "http.response.start" and standing is not None:
                MutableHeaders(scope=message).update(standing.headers())
            await send(message)

        await self.app(scope, receive, send_with_standing)


def note_standing(request: Request, standing: Standing) -> None:
    """Have the answer to a request tell this."""
    request.state.standing = standing
