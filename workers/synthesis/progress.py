"""Progress of an attempt: reported to the store, and timed for the metrics."""

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
"""Progress at the start of each stage; rendering, the longest stage, takes the middle part."""
REPORT_INTERVAL = 0.3
"""Seconds between two reports of frames: smooth for viewers, and cheap for the store."""
SILENCE = 2.0
"""Seconds before an unavailable store is tried again; each try can take its whole timeout."""


class Progress:
    """Reports the stages and rendered frames of an attempt; progress never decreases.

    An unavailable store does not end an attempt: only its result has to be recorded.

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
        """Report to a store; `allow` receives each stage and its time limit in seconds."""
        self._store = store
        self._job = job
        self._allow = allow
        self._clock = clock
        self._stage: Stage | None = None
        self._stage_began = self._reported = clock()
        self._silent_until = self._reported

    def enter(self, stage: Stage, seconds: float) -> None:
        """Start a stage with a time limit in seconds, ending the previous one."""
        self.close()
        self._allow(stage, seconds)
        logger.info("job=%s attempt=%d stage=%s", self._job.id, self._job.attempt, stage)
        self._stage, self._stage_began = stage, self._clock()
        self._report(stage, STARTS[stage])

    def close(self) -> None:
        """End the current stage, if any, and record its duration."""
        if self._stage is not None:
            STAGE_SECONDS.labels(self._stage).observe(self._clock() - self._stage_began)
        self._stage = None

    def follow(
        self, batches: Iterable[NDArray[np.uint8]], num_frames: int
    ) -> Iterator[NDArray[np.uint8]]:
        """Yield batches of frames `[B, H, W, 3]` unchanged, reporting each."""
        begin, end = STARTS[Stage.RENDERING], STARTS[Stage.STORING]
        rendered = 0
        for batch in batches:
            yield batch
            rendered += len(batch)
            FRAMES_RENDERED.inc(len(batch))
            self._report_frames(begin + (end - begin) * rendered / num_frames)

    def _report_frames(self, progress: float) -> None:
        """Report at intervals, but check after every batch that the attempt owns the job."""
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
            logger.warning("job=%s could not report its progress: %s", self._job.id, silent)
