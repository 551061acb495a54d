"""Rate limits of API keys, counted in Valkey and reported in RateLimit headers.

The headers follow draft-ietf-httpapi-ratelimit-headers-10.
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
    """The remaining requests of an API key; `wait` is the seconds until there are more."""

    ceiling: int
    remaining: int
    wait: int

    def headers(self) -> dict[str, str]:
        """Return the RateLimit headers."""
        return {
            "RateLimit-Policy": f'"requests";q={self.ceiling};w={WINDOW_SECONDS}',
            "RateLimit": f'"requests";r={self.remaining};t={self.wait}',
        }


class RequestLimits:
    """Counts requests in a moving window: no 60 seconds contain more requests than the limit."""

    def __init__(self, storage: RedisStorage) -> None:
        self._limiter = MovingWindowRateLimiter(storage)

    @classmethod
    def connect(cls, settings: Settings) -> Self:
        """Count in the Valkey given by the settings, without connecting."""
        url = settings.valkey_url
        pool = connect(url).connection_pool
        return cls(RedisStorage(url, connection_pool=pool, key_prefix="amigo:requests"))

    def count(self, key_id: str, ceiling: int) -> tuple[bool, Standing]:
        """Count a request; return whether it is within the limit, and what remains.

        Raises:
            StoreUnavailable: Valkey does not respond.
        """
        item = RateLimitItemPerMinute(ceiling)
        with translated_errors():
            may_pass = self._limiter.hit(item, key_id)
            stats = self._limiter.get_window_stats(item, key_id)
        wait = max(1, math.ceil(stats.reset_time - time.time()))
        return may_pass, Standing(ceiling, stats.remaining, wait)


class RateLimitHeaders:
    """ASGI middleware: adds the RateLimit headers for callers with a limit."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request, and add the headers to its response."""

        async def send_with_standing(message: Message) -> None:
            standing = scope.get("state", {}).get("standing")
            if message["type"] == "http.response.start" and standing is not None:
                MutableHeaders(scope=message).update(standing.headers())
            await send(message)

        await self.app(scope, receive, send_with_standing)


def note_standing(request: Request, standing: Standing) -> None:
    """Report this state in the response to a request."""
    request.state.standing = standing
