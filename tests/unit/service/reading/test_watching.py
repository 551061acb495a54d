"""Waiting for a job, with a watcher that only receives explicit announcements."""

import asyncio
from collections.abc import Callable

import pytest

from service.reading import watching
from tests.fakes.backstage import FakeWatcher
from tests.waiting import PATIENCE

LONG = 600.0
"""Seconds; longer than any test."""


class Readings:
    """A job that returns another number each time it is read; `on_read` is called with it."""

    def __init__(self, on_read: Callable[[int], object] = lambda _: None) -> None:
        self.count = 0
        self.on_read = on_read

    async def __call__(self) -> int:
        self.count += 1
        self.on_read(self.count)
        return self.count


@pytest.fixture(autouse=True)
def only_announcements(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "REREAD_SECONDS", LONG)


def announcing(watcher: FakeWatcher, job_id: str) -> Callable[[int], object]:
    loop = asyncio.get_running_loop()
    return lambda _: loop.call_soon_threadsafe(watcher.announce, job_id)


def test_a_job_is_read_again_whenever_it_changes_until_it_is_due() -> None:
    async def wait() -> int:
        watcher = FakeWatcher()
        read = Readings(announcing(watcher, "job_a"))
        return await watcher.read_until("job_a", read, lambda number: number == 3, LONG)

    assert asyncio.run(wait()) == 3


def test_a_change_of_another_job_wakes_no_follower() -> None:
    async def wait() -> int:
        watcher = FakeWatcher()
        read = Readings(announcing(watcher, "job_b"))
        return await watcher.read_until("job_a", read, lambda number: number == 2, 0.05)

    # Once at the start and once at the end.
    assert asyncio.run(wait()) == 2


def test_without_a_wait_the_first_reading_is_returned() -> None:
    async def wait() -> int:
        return await FakeWatcher().read_until("job_a", Readings(), lambda _: False, 0)

    assert asyncio.run(wait()) == 1


def test_stopping_the_process_ends_all_waits() -> None:
    async def wait() -> int:
        watcher = FakeWatcher()
        loop = asyncio.get_running_loop()
        read = Readings(lambda _: loop.call_soon_threadsafe(watcher.stop))
        return await watcher.read_until("job_a", read, lambda _: False, LONG)

    assert asyncio.run(wait()) <= 2


def test_what_happens_while_a_follower_reads_is_not_missed() -> None:
    async def wait() -> None:
        watcher = FakeWatcher()
        with watcher.following("job_a") as changes:
            watcher.announce("job_a")
            await changes.wait(LONG)
            await changes.wait(0.01)

    asyncio.run(asyncio.wait_for(wait(), PATIENCE))


def test_a_wait_ends_when_the_job_changes() -> None:
    async def wait() -> None:
        watcher = FakeWatcher()
        asyncio.get_running_loop().call_later(0.01, watcher.announce, "job_a")
        with watcher.following("job_a") as changes:
            await changes.wait(LONG)

    asyncio.run(asyncio.wait_for(wait(), PATIENCE))
