"""Jobs that are asked for at about the same time are read together."""

import asyncio
from collections.abc import Sequence
from threading import Event

import pytest

from jobs.errors import JobNotFound, RecordUnreadable, StoreUnavailable
from jobs.job import Job
from jobs.valkey.readings import Reading
from service.reading.batches import LARGEST, ReadingBatches
from tests.fakes.stores import FakeStore
from tests.jobs_examples import new_job


class CountingStore(FakeStore):
    """Counts the round trips; the first one waits for `may_answer`."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        super().__init__()
        self.jobs = {job.id: job for job in jobs}
        self.asked: list[list[str]] = []
        self.damaged: set[str] = set()
        self.may_answer = Event()

    def readings(self, job_ids: Sequence[str]) -> list[Reading]:
        self.asked.append(list(job_ids))
        assert self.may_answer.wait(60)
        if self.damaged & set(job_ids):
            raise RecordUnreadable("A record cannot be read.")
        return super().readings(job_ids)


def read_all(store: CountingStore, job_ids: Sequence[str]) -> list[Reading | BaseException]:
    """Ask for the first job, and for the others while it is being read."""

    async def ask() -> list[Reading | BaseException]:
        batches = ReadingBatches(store)
        first = asyncio.create_task(batches.read(job_ids[0]))
        while not store.asked:
            await asyncio.sleep(0.001)
        others = [asyncio.create_task(batches.read(job_id)) for job_id in job_ids[1:]]
        await asyncio.sleep(0)
        store.may_answer.set()
        return await asyncio.gather(first, *others, return_exceptions=True)

    return asyncio.run(ask())


def test_requests_during_a_read_are_read_together_afterwards() -> None:
    a, b, c = jobs = [new_job() for _ in range(3)]
    store = CountingStore(jobs)
    found = read_all(store, [a.id, b.id, a.id, c.id])
    assert [each.job for each in found if isinstance(each, Reading)] == [a, b, a, c]
    assert store.asked == [[a.id], [b.id, a.id, c.id]]


def test_a_batch_has_a_maximum_size() -> None:
    jobs = [new_job() for _ in range(LARGEST + 2)]
    store = CountingStore(jobs)
    read_all(store, [job.id for job in jobs])
    assert [len(asked) for asked in store.asked] == [1, LARGEST, 1]


def test_each_request_gets_its_own_error() -> None:
    a, b = new_job(), new_job()
    store = CountingStore([a, b])
    store.damaged = {b.id}
    first, damaged, missing = read_all(store, [a.id, b.id, "job_x"])
    assert isinstance(first, Reading)
    assert isinstance(damaged, RecordUnreadable)
    assert isinstance(missing, JobNotFound)


def test_an_unavailable_store_fails_all_requests() -> None:
    a, b = new_job(), new_job()
    store = CountingStore([a, b])
    store.is_down = True
    for outcome in read_all(store, [a.id, b.id]):
        assert isinstance(outcome, StoreUnavailable)
    store.is_down = False
    assert asyncio.run(ReadingBatches(store).read(a.id)).job == a


def test_a_canceled_request_does_not_affect_the_others() -> None:
    a = new_job()
    store = CountingStore([a])

    async def ask() -> Reading:
        batches = ReadingBatches(store)
        given_up, stays = (asyncio.create_task(batches.read(a.id)) for _ in range(2))
        await asyncio.sleep(0)
        given_up.cancel()
        store.may_answer.set()
        with pytest.raises(asyncio.CancelledError):
            await given_up
        return await stays

    assert asyncio.run(ask()).job == a
