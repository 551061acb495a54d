"""Access to Valkey: timeouts, transactions, and its own clock."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from redis import Redis
from redis.backoff import ConstantBackoff
from redis.client import Pipeline
from redis.exceptions import OutOfMemoryError, ReadOnlyError, RedisError, WatchError
from redis.retry import Retry

from jobs.errors import StoreReadOnly, StoreUnavailable

CONNECT_TIMEOUT = 1.0
"""Connection timeout in seconds."""

ANSWER_TIMEOUT = 2.0
"""Response timeout in seconds."""

MAX_COLLISIONS = 100
"""Number of times a transaction restarts because its keys were changed."""

_REFUSALS = (ReadOnlyError, OutOfMemoryError)
_REFUSAL_CODES = ("MISCONF", "NOREPLICAS")  # codes without a class of their own

T = TypeVar("T")


def connect(url: str) -> Redis:
    """Return a client that decodes responses, without connecting."""
    return Redis.from_url(
        url,
        decode_responses=True,
        socket_connect_timeout=CONNECT_TIMEOUT,
        socket_timeout=ANSWER_TIMEOUT,
        # Retry once, for pooled connections closed by a restarted server.
        retry=Retry(ConstantBackoff(0.05), 1),
    )


def transact(client: Redis, steps: Callable[[Pipeline], T], *watched: str) -> T:
    """Run steps that read and then queue commands; repeat if a watched key changed.

    redis-py also reports a lost connection as such a change. If its response was lost, a
    transaction therefore runs again on its own changes: a claim then finds the job claimed, and the
    expiring lease requeues it.

    Raises:
        StoreUnavailable: Valkey does not respond, or the keys keep changing.
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
    raise StoreUnavailable(f"Too many concurrent writes to {watched[0]}.")


def read_clock(client: Redis) -> datetime:
    """Return the time on Valkey's clock."""
    return clock_time(*client.time())


def clock_time(seconds: int, micros: int) -> datetime:
    """Parse the result of Valkey's TIME command."""
    return datetime.fromtimestamp(seconds, UTC) + timedelta(microseconds=micros)


def score(when: datetime) -> int:
    """Return a time as microseconds since the epoch, which a sorted set stores exactly."""
    return round(when.timestamp() * 1_000_000)


@contextmanager
def translated_errors() -> Iterator[None]:
    """Translate all client errors into StoreUnavailable, or StoreReadOnly among them."""
    try:
        yield
    except RedisError as error:
        if isinstance(error, _REFUSALS) or any(code in str(error) for code in _REFUSAL_CODES):
            raise StoreReadOnly(f"Valkey refuses writes: {error}") from error
        raise StoreUnavailable(f"Valkey is unavailable: {error}") from error
