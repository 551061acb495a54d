"""Estimated completion times of jobs, based on recent jobs: plain arithmetic, no I/O."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from heapq import heapify, heapreplace
from itertools import combinations
from statistics import median
from typing import Self

from jobs.job import Job, JobStatus
from jobs.options import Options

RUNS_KEPT = 50
"""Number of recent jobs on which an ETA is based."""

ENOUGH = 3
"""Minimum number of runs of one kind to prefer them over the runs of all kinds."""


@dataclass(frozen=True)
class Run:
    """Duration of one successful attempt: seconds of speech and seconds of work.

    `kind` is the other factor that determines the work: the options `compose` and `resolution`.
    """

    speech: float
    work: float
    kind: str = "crop-512"

    @classmethod
    def of(cls, job: Job) -> Self | None:
        """Return the run of a job that has just succeeded; None if its start is unknown."""
        if job.result is None or job.claimed_at is None:
            return None
        work = (job.updated_at - job.claimed_at).total_seconds()
        return cls(job.result.duration, work, kind_of(job.options))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse the output of `str`."""
        speech, work, kind = text.split()
        return cls(float(speech), float(work), kind)

    def __str__(self) -> str:
        return f"{self.speech:.3f} {self.work:.3f} {self.kind}"


def kind_of(options: Options) -> str:
    """Return the options that determine the work, as one word."""
    return f"{options.compose}-{options.resolution:d}"


@dataclass(frozen=True)
class Pace:
    """Predicted seconds of work: a constant overhead plus a factor per second of speech."""

    overhead: float
    ratio: float
    typical: float
    """Seconds of work of the median run."""
    typical_speech: float
    """Seconds of speech of the median run."""

    @classmethod
    def fit(cls, runs: Sequence[Run]) -> Self:
        """Fit a line to the runs, robust against nearly a third of outliers.

        Uses the Theil-Sen estimator: the median slope of all pairs and the median intercept (P. K.
        Sen, Estimates of the regression coefficient based on Kendall's tau, 1968). If all runs have
        the same length, the overhead is unknown and the line goes through zero.
        """
        ratio = median(each.work / each.speech for each in runs)
        pairs = [(a, b) for a, b in combinations(runs, 2) if abs(a.speech - b.speech) > 0.1]
        if pairs:
            slope = median((a.work - b.work) / (a.speech - b.speech) for a, b in pairs)
            ratio = min(max(slope, 0.0), ratio)
        overhead = median(each.work - ratio * each.speech for each in runs)
        return cls(
            max(overhead, 0.0),
            ratio,
            median(each.work for each in runs),
            median(each.speech for each in runs),
        )

    def seconds(self, speech: float | None) -> float:
        """Return the seconds of work for the given seconds of speech; None means typical speech."""
        return self.overhead + self.ratio * (self.typical_speech if speech is None else speech)


@dataclass(frozen=True)
class Estimate:
    """What the store knows about the expected completion of a job.

    Attributes:
        position: number of claims up to the job's own, 1 for the next; None if it is not queued.
        processing: the jobs being processed, excluding the job itself.
        runs: recent runs, as written by `Run`.
        now: the time on the store's clock, like the times of the job.
    """

    position: int | None
    processing: tuple[Job, ...]
    runs: tuple[str, ...]
    now: datetime

    def eta(self, job: Job) -> datetime | None:
        """Return the estimated completion; None if the job has ended or no job has finished yet."""
        if job.status.is_final or not self.runs:
            return None
        left = self._work_left(job)
        if job.status is JobStatus.QUEUED:
            left += self._wait(fitted_pace(self.runs).typical)
        return self.now + timedelta(seconds=left)

    def remaining(self, job: Job) -> tuple[datetime, float] | tuple[None, None]:
        """Return the ETA, rounded up to whole seconds, and the seconds left; None if `eta` is."""
        eta = self.eta(job)
        if eta is None:
            return None, None
        rounded = eta + timedelta(microseconds=-eta.microsecond % 1_000_000)
        return rounded, round((eta - self.now).total_seconds(), 1)

    def _wait(self, typical: float) -> float:
        """Return the seconds until the job's turn if the jobs before it take `typical` seconds
        each.

        Each busy worker takes the next job when its current one is done.
        """
        ahead = (self.position or 1) - 1
        busy = [self._work_left(job) for job in self.processing] or [0.0]
        heapify(busy)
        while ahead and max(busy) > busy[0] + typical:
            heapreplace(busy, busy[0] + typical)
            ahead -= 1
        # From here on, workers become free in the same order, round after round.
        rounds, place = divmod(ahead, len(busy))
        return rounds * typical + sorted(busy)[place]

    def _work_left(self, job: Job) -> float:
        expected = fitted_pace(self.runs, kind_of(job.options)).seconds(job.audio_seconds)
        if job.status is JobStatus.QUEUED or job.claimed_at is None:
            return expected
        spent = (self.now - job.claimed_at).total_seconds()
        by_progress = (1 - job.progress) * max(expected, spent)
        # A later attempt starts over, while the reported progress stays at the first one's maximum.
        return by_progress if job.attempt == 1 else max(by_progress, expected - spent)


@lru_cache(maxsize=16)
def fitted_pace(texts: tuple[str, ...], kind: str | None = None) -> Pace:
    """Return the pace of runs written by `Run`, of one kind if there are enough of it.

    Cached until the next job ends.
    """
    runs = [Run.parse(text) for text in texts]
    alike = [run for run in runs if run.kind == kind]
    return Pace.fit(alike if len(alike) >= ENOUGH else runs)
