import numpy as np
import pytest
from numpy.typing import NDArray

from jobs.errors import StaleAttempt
from jobs.job import Job, Options, Stage
from tests.unit.workers.fakes import FakeStore
from workers.synthesis.progress import REPORT_INTERVAL, SILENCE, Progress


class Clock:
    """Stands still unless it is moved."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Attempt:
    """A claimed job and its progress."""

    def __init__(self) -> None:
        self.store, self.clock = FakeStore(), Clock()
        queued = Job.create(Options(consent=True))
        self.store.accept(queued)
        self.job = self.store.claim(queued.id)
        self.allowed: list[tuple[str, float]] = []
        self.progress = Progress(
            self.store, self.job, lambda *limit: self.allowed.append(limit), self.clock
        )

    def render(self, batches: int, seconds_a_batch: float) -> list[float]:
        """Return the progress that the store holds after each batch."""
        seen = []
        black: NDArray[np.uint8] = np.zeros((8, 4, 4, 3), np.uint8)
        for number, batch in enumerate(self.progress.follow([black] * batches, 8 * batches)):
            assert batch is black
            if number:
                seen.append(self.store.jobs[self.job.id].progress)
            self.clock.now += seconds_a_batch
        return [*seen, self.store.jobs[self.job.id].progress]


@pytest.fixture
def attempt() -> Attempt:
    return Attempt()


def test_each_stage_begins_where_the_one_before_may_end(attempt: Attempt) -> None:
    for stage in Stage:
        attempt.progress.enter(stage, 60)
    told = [(job.stage, job.progress) for job in attempt.store.history[1:]]
    assert told == [
        (Stage.FETCHING, 0.0),
        (Stage.LISTENING, 0.02),
        (Stage.RENDERING, 0.1),
        (Stage.STORING, 0.95),
    ]


def test_slow_batches_are_each_reported_in_proportion(attempt: Attempt) -> None:
    seen = attempt.render(5, seconds_a_batch=2 * REPORT_INTERVAL)
    assert seen == pytest.approx([0.27, 0.44, 0.61, 0.78, 0.95])


def test_quick_batches_are_reported_now_and_then(attempt: Attempt) -> None:
    attempt.render(100, seconds_a_batch=REPORT_INTERVAL / 10)
    assert 9 <= len(attempt.store.history) - 1 <= 10


def test_a_lost_job_is_noticed_with_the_next_batch_though_no_report_is_due(
    attempt: Attempt,
) -> None:
    attempt.store.cancel(attempt.job.id)
    with pytest.raises(StaleAttempt):
        attempt.render(2, seconds_a_batch=0.0)


def test_a_silent_store_is_left_alone_for_a_while(attempt: Attempt) -> None:
    attempt.store.outages.of("advance", 1)
    attempt.progress.enter(Stage.RENDERING, 60)
    attempt.clock.now += SILENCE - 1
    attempt.progress.enter(Stage.RENDERING, 60)
    assert len(attempt.store.history) == 1
    attempt.clock.now += 1
    attempt.progress.enter(Stage.RENDERING, 60)
    assert len(attempt.store.history) == 2


def test_each_stage_has_its_own_limit() -> None:
    attempt = Attempt()
    attempt.progress.enter(Stage.FETCHING, 60)
    attempt.progress.enter(Stage.LISTENING, 90)
    assert attempt.allowed == [("fetching", 60), ("listening", 90)]
