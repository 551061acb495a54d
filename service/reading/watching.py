"""Wakes callers that wait for a job to change, with one subscription for all of them."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import TypeVar

from anyio import CapacityLimiter, to_thread
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from jobs.valkey.connection import ANSWER_TIMEOUT, CONNECT_TIMEOUT
from jobs.valkey.keys import CHANGES

logger = logging.getLogger(__name__)

REREAD_SECONDS = 5.0
"""Seconds after which a follower reads its job again without an announcement."""

RECONNECT_SECONDS = 1.0
"""Seconds before a lost subscription is retried."""

READERS = 8
"""Number of threads, and so of store connections, that read for all followers of a process."""

T = TypeVar("T")


class ChangeSignal:
    """Wake-up signal of one follower."""

    def __init__(self) -> None:
        self._has_changed = asyncio.Event()

    def announce(self) -> None:
        """Wake the follower, now or as soon as it waits."""
        self._has_changed.set()

    async def wait(self, seconds: float) -> None:
        """Return after a change since the last call, or after the given number of seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._has_changed.wait()
        self._has_changed.clear()


class JobWatcher:
    """Receives all change announcements, and wakes the followers of the changed job.

    Announcements are lost while disconnected. Followers therefore read the store after every
    wake-up and at least every REREAD_SECONDS: a lost announcement costs time, never a change. All
    methods run in the event loop.
    """

    def __init__(self, valkey_url: str) -> None:
        self._valkey_url = valkey_url
        self._followers: dict[str, set[ChangeSignal]] = defaultdict(set)
        self._readers = CapacityLimiter(READERS)
        self.num_followers = 0
        self.is_stopping = False

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Subscribe within the context."""
        listening = asyncio.create_task(self._listen_always())
        try:
            yield
        finally:
            listening.cancel()
            with suppress(asyncio.CancelledError):
                await listening

    def announce(self, job_id: str) -> None:
        """Wake the followers of a job."""
        for changes in self._followers.get(job_id, ()):
            changes.announce()

    def stop(self) -> None:
        """Disconnect all followers, now and in the future: the process is about to exit."""
        self.is_stopping = True
        self._announce_all()

    @contextmanager
    def following(self, job_id: str) -> Iterator[ChangeSignal]:
        """Collect the changes of a job within the context; enter it before reading the job."""
        changes = ChangeSignal()
        self._followers[job_id].add(changes)
        self.num_followers += 1
        try:
            yield changes
        finally:
            self.num_followers -= 1
            self._followers[job_id].discard(changes)
            if not self._followers[job_id]:
                del self._followers[job_id]

    async def read_until(
        self,
        job_id: str,
        read: Callable[[], Awaitable[T]],
        is_due: Callable[[T], bool],
        seconds: float,
    ) -> T:
        """Return the first reading of a job that is due; after the given time, the latest one.

        `read` is called at once and then after each change of the job.
        """
        clock = asyncio.get_running_loop().time
        deadline = clock() + seconds
        with self.following(job_id) as changes:
            while True:
                reading = await read()
                left = deadline - clock()
                if is_due(reading) or left <= 0 or self.is_stopping:
                    return reading
                await changes.wait(min(left, REREAD_SECONDS))

    async def read(self, read: Callable[[], T]) -> T:
        """Run `read` in one of the few threads that read for followers."""
        return await to_thread.run_sync(read, limiter=self._readers)

    async def _listen_always(self) -> None:
        while True:
            try:
                await self._listen()
            except (RedisError, OSError) as error:
                logger.warning(
                    "Cannot receive change announcements", extra={"fields": {"reason": str(error)}}
                )
            self._announce_all()
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _listen(self) -> None:
        """Forward announcements until the connection is lost."""
        async with self._connect() as client, client.pubsub() as subscription:
            await subscription.subscribe(CHANGES)
            async for message in subscription.listen():
                if message["type"] == "message":
                    self.announce(message["data"])
                else:
                    # Subscribed: earlier changes were not received.
                    self._announce_all()

    def _connect(self) -> Redis:
        return Redis.from_url(
            self._valkey_url,
            decode_responses=True,
            socket_connect_timeout=CONNECT_TIMEOUT,
            socket_timeout=ANSWER_TIMEOUT,
            # A connection that reconnects by itself would hide missed announcements.
            retry=Retry(NoBackoff(), 0),
        )

    def _announce_all(self) -> None:
        for job_id in self._followers:
            self.announce(job_id)
