"""How Valkey is spoken to: with timeouts, in transactions, by its own clock."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from redis import Redis
from redis.backoff import ConstantBackoff
from redis.client import Pipeline
from redis.exceptions import RedisError, WatchError
from redis.retry import Retry

from jobs.errors import StoreUnavailable

CONNECT_TIMEOUT = 1.0
"""Seconds Valkey may take to accept a connection."""

ANSWER_TIMEOUT = 2.0
"""Seconds Valkey may take to answer."""

MAX_COLLISIONS = 100
"""Times a transaction starts over because another changed what it read."""

T = TypeVar("T")


def connect(url: str) -> Redis:
    """Return a client that decodes what it reads; nothing is sent yet."""
    return Redis.from_url(
        url,
        decode_responses=True,
        socket_connect_timeout=CONNECT_TIMEOUT,
        socket_timeout=ANSWER_TIMEOUT,
        # Once more, for the pooled connection that a restarted server has forgotten.
        retry=Retry(ConstantBackoff(0.05), 1),
    )


def transact(client: Redis, steps: Callable[[Pipeline], T], *watched: str) -> T:
    """Run steps that read, then queue commands; all of it again if a watched key changed.

    redis-py reports a connection lost on the way as such a change too. So a transaction whose
    answer got lost runs again, on what it did itself: a claim then finds the job taken, and the
    lease that nobody renews brings the job back.

    Raises:
        StoreUnavailable: Valkey does not answer, or others change the keys all the time.
    """
    with translated_errors(), client.pipeline() as pipe:
        for _ in range(MAX_COLLISIONS):
            try:
                pipe.watch(*watched)  # type: ignore[no-untyped-call]
                outcome = steps(pipe)
                pipe.execute()
            except WatchError:
                continue
            return outcome
    raise StoreUnavailable(f"Too many writers change {watched[0]} at once.")


def read_clock(client: Redis) -> datetime:
    """Return the time on Valkey's clock."""
    return clock_time(*client.time())


def clock_time(seconds: int, micros: int) -> datetime:
    """Return a time as Valkey's TIME tells it."""
    return datetime.fromtimestamp(seconds, UTC) + timedelta(microseconds=micros)


def score(when: datetime) -> int:
    """Return a time as microseconds since the epoch, which a sorted set holds exactly."""
    return round(when.timestamp() * 1_000_000)


@contextmanager
def translated_errors() -> Iterator[None]:
    """Turn whatever the client raises into StoreUnavailable."""
    try:
        yield
    except RedisError as error:
        raise StoreUnavailable(f"Valkey does not answer as it should: {error}") from error
