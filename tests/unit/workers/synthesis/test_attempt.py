import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from numpy.typing import NDArray

from jobs.errors import StoreUnavailable
from jobs.job import MAX_ATTEMPTS, Job, JobStatus, Stage
from jobs.options import Options
from tests.fakes.stores import FakeQueue, FakeStore
from tests.waiting import wait_for
from workers.synthesis.attempt import Attempt, AttemptEnded
from workers.synthesis.retry_policy import RetryPolicy

LEASE_SECONDS = 0.03
FOR_EVER = 1_000_000
DEADLINE = 30.0
"""Seconds."""


class Worker:
    """Claims one job, and records whether its process was killed."""

    def __init__(self) -> None:
        self.store, self.queue = FakeStore(), FakeQueue()
        queued = Job.create(Options(consent=True))
        self.store.accept(queued)
        self.claimed = self.store.claim(queued.id)
        self.must_stop = False
        self.killed = threading.Event()

    @property
    def job(self) -> Job:
        return self.store.jobs[self.claimed.id]

    @property
    def reports(self) -> list[tuple[Stage | None, float]]:
        return [(job.stage, job.progress) for job in self.store.history[1:]]

    def attempt(self, *, lease_seconds: float = LEASE_SECONDS, hang: float = 60.0) -> Attempt:
        return Attempt(
            self.claimed,
            self.store,
            self.queue,
            RetryPolicy(60, sleep=lambda _: None),
            must_stop=lambda: self.must_stop,
            lease_seconds=lease_seconds,
            hang_seconds=hang,
            kill_process=self.killed.set,
        )

    @contextmanager
    def released(self, attempt: Attempt) -> Iterator[None]:
        """Hold the attempt open until its job has left it; the caller then sees AttemptEnded."""
        with attempt:
            wait_for(lambda: self.job.status is not JobStatus.PROCESSING)
            with pytest.raises(AttemptEnded) as ended:
                attempt.enter(Stage.STORING, 60)
            assert ended.value.is_released
            yield


@pytest.fixture
def worker() -> Worker:
    return Worker()


def black(batches: int) -> list[NDArray[np.uint8]]:
    return [np.zeros((8, 4, 4, 3), np.uint8)] * batches


def await_progress(worker: Worker, progress: float) -> None:
    wait_for(lambda: worker.job.progress == pytest.approx(progress))


def test_each_stage_is_reported_where_it_begins(worker: Worker) -> None:
    attempt = worker.attempt(lease_seconds=60)
    for stage in Stage:
        attempt.enter(stage, 60)
    assert worker.reports == [
        (Stage.FETCHING, 0.0),
        (Stage.LISTENING, 0.02),
        (Stage.RENDERING, 0.1),
        (Stage.STORING, 0.95),
    ]


def test_rendered_frames_are_reported_in_proportion(worker: Worker) -> None:
    with worker.attempt() as attempt:
        attempt.enter(Stage.RENDERING, 60)
        for number, _ in enumerate(attempt.follow(black(5), 40)):
            await_progress(worker, 0.1 + 0.85 * number / 5)
        await_progress(worker, 0.95)


def test_frames_are_not_reported_one_by_one(worker: Worker) -> None:
    attempt = worker.attempt()
    attempt.enter(Stage.RENDERING, 60)
    assert len(list(attempt.follow(black(100), 800))) == 100
    assert len(worker.reports) == 1


def test_the_lease_is_renewed_until_the_end_and_through_outages(worker: Worker) -> None:
    renewed = threading.Semaphore(0)
    renew = worker.store.renew

    def count(job_id: str, attempt: int) -> None:
        renewed.release()
        renew(job_id, attempt)

    worker.store.renew = count  # type: ignore[method-assign]
    worker.store.outages.of("renew", 2)
    with worker.attempt():
        for _ in range(4):
            assert renewed.acquire(timeout=DEADLINE)
    assert "lease" not in {thread.name for thread in threading.enumerate()}
    assert worker.job.status is JobStatus.PROCESSING


def test_an_attempt_continues_while_the_store_is_unavailable(worker: Worker) -> None:
    for method in ("advance", "renew"):
        worker.store.outages.of(method, FOR_EVER)
    with worker.attempt() as attempt:
        for stage in Stage:
            attempt.enter(stage, 60)


def test_a_canceled_job_ends_its_attempt_with_the_next_stage(worker: Worker) -> None:
    attempt = worker.attempt()
    worker.store.cancel(worker.job.id)
    with pytest.raises(AttemptEnded) as ended:
        attempt.enter(Stage.LISTENING, 60)
    assert not ended.value.is_released


def test_a_canceled_job_ends_its_attempt_while_frames_are_rendered(worker: Worker) -> None:
    with worker.attempt() as attempt:
        attempt.enter(Stage.RENDERING, 60)

        def endless() -> Iterator[NDArray[np.uint8]]:
            worker.store.cancel(worker.job.id)
            while not worker.killed.wait(0.005):
                yield black(1)[0]

        with pytest.raises(AttemptEnded) as ended:
            list(attempt.follow(endless(), 1_000_000))
    assert not ended.value.is_released


def test_a_lost_lease_is_not_renewed_again(worker: Worker) -> None:
    calls = []
    worker.store.cancel(worker.job.id)
    renew = worker.store.renew
    refused = threading.Event()

    def count(job_id: str, attempt: int) -> None:
        calls.append(job_id)
        refused.set()
        renew(job_id, attempt)

    worker.store.renew = count  # type: ignore[method-assign]
    with worker.attempt():
        assert refused.wait(DEADLINE)
        refused.clear()
        assert not refused.wait(10 * LEASE_SECONDS)
    assert len(calls) == 1


def test_a_stage_beyond_its_time_limit_releases_the_job_and_is_named(
    worker: Worker, caplog: pytest.LogCaptureFixture
) -> None:
    for attempt in range(1, MAX_ATTEMPTS):
        worker.store.requeue(worker.job.id, attempt)
        worker.claimed = worker.store.claim(worker.job.id)
    late = worker.attempt()
    late.allow(Stage.RENDERING, 0.0)
    with worker.released(late):
        pass
    assert worker.job.failure is not None
    assert worker.job.failure.code == "attempts_used_up"
    assert "rendering exceeded its time limit of 0 s" in worker.job.failure.message
    assert "rendering exceeded its time limit of 0 s" in caplog.text
    assert not worker.killed.is_set()


def test_the_limit_of_an_earlier_stage_does_not_count(worker: Worker) -> None:
    attempt = worker.attempt()
    attempt.allow(Stage.FETCHING, 0.0)
    attempt.allow(Stage.STORING, 60.0)
    with attempt:
        assert not worker.killed.wait(10 * LEASE_SECONDS)
    assert worker.job.status is JobStatus.PROCESSING


def test_a_worker_that_stops_hands_its_job_back_at_once(worker: Worker) -> None:
    worker.must_stop = True
    with worker.released(worker.attempt()):
        wait_for(lambda: worker.store.dispatched)
    assert (worker.job.status, worker.job.handed_back) == (JobStatus.QUEUED, 1)
    assert worker.queue.messages == [worker.job.id]


def test_an_unavailable_broker_leaves_the_job_to_the_reconciler(worker: Worker) -> None:
    worker.must_stop = True
    worker.queue.outages.of("dispatch", 1)
    with worker.released(worker.attempt()):
        pass
    assert worker.job.status is JobStatus.QUEUED
    assert worker.store.dispatched == []


@pytest.mark.parametrize("is_canceled", [False, True])
def test_an_attempt_that_runs_on_without_its_job_is_killed(
    worker: Worker, is_canceled: bool
) -> None:
    if is_canceled:
        worker.store.cancel(worker.job.id)
    attempt = worker.attempt(hang=0.01)
    with attempt:
        attempt.allow(Stage.RENDERING, 0.0)
        assert worker.killed.wait(DEADLINE)
    expected = JobStatus.CANCELED if is_canceled else JobStatus.QUEUED
    assert worker.job.status is expected


def test_a_job_that_cannot_be_released_is_left_to_its_lease(
    worker: Worker, caplog: pytest.LogCaptureFixture
) -> None:
    worker.must_stop = True
    worker.store.outages.of("hand_back", FOR_EVER)
    with worker.attempt() as attempt:
        wait_for(lambda: "its lease will expire" in caplog.text)
        with pytest.raises(AttemptEnded):
            attempt.enter(Stage.STORING, 60)
    assert worker.job.status is JobStatus.PROCESSING


def test_a_final_state_that_cannot_be_recorded_is_reported_as_an_outage(worker: Worker) -> None:
    worker.store.outages.of("postpone", FOR_EVER)
    with worker.attempt() as attempt, pytest.raises(StoreUnavailable):
        attempt.postpone()
