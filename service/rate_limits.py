"""Rate limits of API keys, counted in Valkey and reported in RateLimit headers.

The headers follow draft-ietf-httpapi-ratelimit-headers-10. They list the policies that apply to the
request: `requests`, and on routes that create jobs or report usage `jobs`, the daily quota.
"""

import math
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

from fastapi.concurrency import run_in_threadpool
from limits import RateLimitItemPerMinute
from limits.storage import RedisStorage
from limits.strategies import MovingWindowRateLimiter
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from jobs.errors import Unavailable
from jobs.settings import Settings
from jobs.valkey.connection import connect, translated_errors
from jobs.valkey.quotas import Usage

MINUTE = 60
DAY = 24 * 3600


@dataclass(frozen=True)
class LimitStatus:
    """The state of one limit of an API key.

    Attributes:
        policy: name of the limit.
        ceiling: the limit.
        window: the seconds to which it applies.
        remaining: what is left.
        wait: the seconds until there is more.
    """

    policy: str
    ceiling: int
    window: int
    remaining: int
    wait: int

    @classmethod
    def of_requests(cls, ceiling: int, remaining: int, wait: float) -> Self:
        """Return what remains of the requests a minute."""
        return cls("requests", ceiling, MINUTE, remaining, max(1, math.ceil(wait)))

    @classmethod
    def of_jobs(cls, ceiling: int, usage: Usage) -> Self:
        """Return what remains of the jobs a day."""
        wait = math.ceil((usage.day_end - usage.now).total_seconds())
        return cls("jobs", ceiling, DAY, max(0, ceiling - usage.created), wait)


def headers(statuses: Iterable[LimitStatus]) -> dict[str, str]:
    """Return the RateLimit headers."""
    return {
        "RateLimit-Policy": ", ".join(
            f'"{each.policy}";q={each.ceiling};w={each.window}' for each in statuses
        ),
        "RateLimit": ", ".join(
            f'"{each.policy}";r={each.remaining};t={each.wait}' for each in statuses
        ),
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

    def count(self, key_id: str, ceiling: int) -> tuple[bool, LimitStatus]:
        """Count a request; return whether it is within the limit, and what remains.

        Raises:
            StoreUnavailable: Valkey does not respond.
        """
        item = RateLimitItemPerMinute(ceiling)
        with translated_errors():
            may_pass = self._limiter.hit(item, key_id)
            stats = self._limiter.get_window_stats(item, key_id)
        wait = stats.reset_time - time.time()
        return may_pass, LimitStatus.of_requests(ceiling, stats.remaining, wait)


class RateLimitHeaders:
    """ASGI middleware: adds the RateLimit headers for callers with a limit.

    What remains of the jobs a day is read when the response starts, after a job was created.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request, and add the headers to its response."""

        async def send_with_limits(message: Message) -> None:
            if message["type"] == "http.response.start":
                statuses = await _limits(scope, is_answered=message["status"] < 500)
                if statuses:
                    MutableHeaders(scope=message).update(headers(statuses))
            await send(message)

        await self.app(scope, receive, send_with_limits)


async def _limits(scope: Scope, *, is_answered: bool) -> list[LimitStatus]:
    state = scope.get("state", {})
    known = [state["request_limit"]] if "request_limit" in state else []
    if is_answered and "job_limit" in state:
        # A header is no reason to turn the response for an accepted job into an error.
        with suppress(Unavailable):
            known.append(await run_in_threadpool(state["job_limit"]))
    return known


def note_request_limit(request: Request, status: LimitStatus) -> None:
    """Report what remains of the requests in the response to a request."""
    request.state.request_limit = status


def noted_request_limit(request: Request) -> LimitStatus | None:
    """Return what remains of the requests; None if they are not limited."""
    return getattr(request.state, "request_limit", None)


def note_job_limit(request: Request, read: Callable[[], LimitStatus]) -> None:
    """Report what remains of the jobs a day, too, read when the response starts."""
    request.state.job_limit = read
