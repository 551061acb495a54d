"""When a job will be done, judged by how long the last ones took: plain arithmetic, no I/O."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from heapq import heapify, heapreplace
from itertools import combinations
from statistics import median
from typing import Self

from jobs.job import Job, JobStatus

RUNS_KEPT = 50
"""Finished jobs that a forecast is learned from."""


ENOUGH = 3
"""Runs of one kind that say more about it than those of all kinds do."""


@dataclass(frozen=True)
class Run:
    """How long one attempt took that made a video: seconds of speech, seconds of work.

    `kind` is what else the work depends on: how the picture was composed.
    """

    speech: float
    work: float
    kind: str = "crop"

    @classmethod
    def of(cls, job: Job) -> Self | None:
        """Return the run of a job that just succeeded; None when its beginning is unknown."""
        if job.result is None or job.claimed_at is None:
            return None
        work = (job.updated_at - job.claimed_at).total_seconds()
        return cls(job.result.duration, work, job.options.compose)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the run that `str` wrote."""
        speech, work, kind = text.split()
        return cls(float(speech), float(work), kind)

    def __str__(self) -> str:
        return f"{self.speech:.3f} {self.work:.3f} {self.kind}"


@dataclass(frozen=True)
class Pace:
    """Seconds of work that a job takes: an overhead and so many for each second of speech."""

    overhead: float
    ratio: float
    typical: float
    """Seconds of work of the median run."""
    typical_speech: float
    """Seconds of speech of the median run."""

    @classmethod
    def learn(cls, runs: Sequence[Run]) -> Self:
        """Return the line through the runs, of which nearly a third may be outliers.

        The Theil-Sen estimator: the median slope of all pairs, the median rest (P. K. Sen,
        Estimates of the regression coefficient based on Kendall's tau, 1968). Runs of one length
        tell no overhead: then the line goes through zero.
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
        """Return the seconds of work for so many seconds of speech; None: as many as usual."""
        return self.overhead + self.ratio * (self.typical_speech if speech is None else speech)


@dataclass(frozen=True)
class Outlook:
    """What the store knows about a job's way to its end.

    Attributes:
        position: claims until the job's own, 1 for the next; None when it is not queued.
        processing: the jobs that are worked on at this moment; left out for a job that is one.
        runs: the last runs, as `Run` writes them.
        now: the time on the store's clock, which the job's times are of.
    """

    position: int | None
    processing: tuple[Job, ...]
    runs: tuple[str, ...]
    now: datetime

    def eta(self, job: Job) -> datetime | None:
        """Return when the job will be done; None when it has ended or nothing is known yet."""
        if job.status.is_final or not self.runs:
            return None
        left = self._work_left(job)
        if job.status is JobStatus.QUEUED:
            left += self._wait(learned(self.runs).typical)
        return self.now + timedelta(seconds=left)

    def _wait(self, typical: float) -> float:
        """Return the seconds until the job's turn, the ones ahead taking `typical` seconds each.

        Whoever works on a job now takes the next one when it is done.
        """
        ahead = (self.position or 1) - 1
        busy = [self._work_left(job) for job in self.processing] or [0.0]
        heapify(busy)
        while ahead and max(busy) > busy[0] + typical:
            heapreplace(busy, busy[0] + typical)
            ahead -= 1
        # From here on they are free in the same order, round after round.
        rounds, place = divmod(ahead, len(busy))
        return rounds * typical + sorted(busy)[place]

    def _work_left(self, job: Job) -> float:
        expected = learned(self.runs, job.options.compose).seconds(job.audio_seconds)
        if job.status is JobStatus.QUEUED or job.claimed_at is None:
            return expected
        spent = (self.now - job.claimed_at).total_seconds()
        by_progress = (1 - job.progress) * max(expected, spent)
        # A later attempt begins anew, while the progress told stays where the first one got.
        return by_progress if job.attempt == 1 else max(by_progress, expected - spent)


@lru_cache(maxsize=16)
def learned(texts: tuple[str, ...], kind: str | None = None) -> Pace:
    """Return the pace of runs as `Run` writes them, of one kind if there are enough of it.

    Learned once while no job ends.
    """
    runs = [Run.parse(text) for text in texts]
    alike = [run for run in runs if run.kind == kind]
    return Pace.learn(alike if len(alike) >= ENOUGH else runs)
