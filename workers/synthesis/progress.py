"""How far an attempt is: told to the store, and timed for the metrics."""

import logging
import time
from collections.abc import Callable, Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from jobs.errors import StoreUnavailable
from jobs.job import Job, Stage
from jobs.valkey.job_store import JobStore
from workers.synthesis.metrics import FRAMES_RENDERED, STAGE_SECONDS

logger = logging.getLogger(__name__)

STARTS = {Stage.FETCHING: 0.0, Stage.LISTENING: 0.02, Stage.RENDERING: 0.1, Stage.STORING: 0.95}
"""The progress at which each stage begins; rendering, which takes the longest, fills the middle."""
REPORT_INTERVAL = 0.3
"""Seconds between two reports of frames: what an eye can follow, and no burden to the store."""
SILENCE = 2.0
"""Seconds a store that did not answer is left alone: each try may cost its whole timeout."""


class Progress:
    """Reports stages and rendered frames of one attempt; progress only grows.

    A store that does not answer is no reason to end an attempt: only its result must be told.

    Raises (every method):
        StaleAttempt: the job was canceled or went to another attempt.
    """

    def __init__(
        self,
        store: JobStore,
        job: Job,
        allow: Callable[[str, float], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Report to a store; `allow` is told each stage and the seconds it may take."""
        self._store = store
        self._job = job
        self._allow = allow
        self._clock = clock
        self._stage: Stage | None = None
        self._stage_began = self._reported = clock()
        self._silent_until = self._reported

    def enter(self, stage: Stage, seconds: float) -> None:
        """Begin a stage, which may take so many seconds, and end the one before."""
        self.close()
        self._allow(stage, seconds)
        logger.info("job=%s attempt=%d stage=%s", self._job.id, self._job.attempt, stage)
        self._stage, self._stage_began = stage, self._clock()
        self._report(stage, STARTS[stage])

    def close(self) -> None:
        """End the stage that runs, if any, and record its seconds."""
        if self._stage is not None:
            STAGE_SECONDS.labels(self._stage).observe(self._clock() - self._stage_began)
        self._stage = None

    def follow(
        self, batches: Iterable[NDArray[np.uint8]], num_frames: int
    ) -> Iterator[NDArray[np.uint8]]:
        """Yield batches of frames `[B, H, W, 3]` as they come, reporting each."""
        begin, end = STARTS[Stage.RENDERING], STARTS[Stage.STORING]
        rendered = 0
        for batch in batches:
            yield batch
            rendered += len(batch)
            FRAMES_RENDERED.inc(len(batch))
            self._report_frames(begin + (end - begin) * rendered / num_frames)

    def _report_frames(self, progress: float) -> None:
        """Report now and then, but ask after every batch whether the job is still ours."""
        if self._clock() - self._reported >= REPORT_INTERVAL:
            self._report(Stage.RENDERING, progress)
        else:
            self._tell(lambda: self._store.renew(self._job.id, self._job.attempt))

    def _report(self, stage: Stage, progress: float) -> None:
        self._reported = self._clock()
        self._tell(lambda: self._store.advance(self._job.id, self._job.attempt, stage, progress))

    def _tell(self, word: Callable[[], object]) -> None:
        if self._clock() < self._silent_until:
            return
        try:
            word()
        except StoreUnavailable as silent:
            self._silent_until = self._clock() + SILENCE
            logger.warning("job=%s progress not told: %s", self._job.id, silent)
