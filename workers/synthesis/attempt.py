"""An attempt at a job: its lease, its progress, its time limits, and the request to stop."""

import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextvars import copy_context
from dataclasses import dataclass
from types import TracebackType
from typing import Self, TypeVar

import numpy as np
from numpy.typing import NDArray
from opentelemetry.trace import INVALID_SPAN, Span

from jobs.errors import JobsError, StaleAttempt, StoreUnavailable, Unavailable
from jobs.job import Job, Stage, attempts_used_up
from jobs.queue import JobQueue
from jobs.tracing import TRACER
from jobs.valkey.job_store import JobStore
from jobs.values import Failure, Result
from workers.synthesis.metrics import FAILURES, FRAMES_RENDERED, STAGE_SECONDS, STAGE_TIMEOUTS
from workers.synthesis.retry_policy import RetryPolicy

logger = logging.getLogger(__name__)

T = TypeVar("T")

STARTS = {Stage.FETCHING: 0.0, Stage.LISTENING: 0.02, Stage.RENDERING: 0.1, Stage.STORING: 0.95}
"""Progress at the start of each stage; rendering, the longest stage, takes the middle part."""
REPORT_SECONDS = 0.3
"""Seconds between two reports of progress, each of which also renews the lease."""
RENEWALS_PER_LEASE = 3
"""The lease is renewed at least this often before it can expire."""
HANG_SECONDS = 10.0
"""Seconds an attempt may run on after it released its job, before its process is killed."""


class AttemptEnded(Exception):
    """The attempt no longer owns its job; its results are discarded.

    Attributes:
        is_released: this worker gave the job to another attempt. Otherwise the job was canceled,
            deleted, or claimed by another worker after the lease expired.
    """

    def __init__(self, reason: str, *, is_released: bool) -> None:
        super().__init__(reason)
        self.is_released = is_released


@dataclass(frozen=True)
class TimeLimit:
    """How long one stage may take."""

    stage: Stage
    seconds: float
    ends_at: float
    """On the monotonic clock."""

    def __str__(self) -> str:
        return f"{self.stage} exceeded its time limit of {self.seconds:g} s"


class Attempt:
    """The job as one worker holds it, from the claim to the final state.

    Two threads share an attempt. The worker's thread enters stages, renders and finishes. The
    lease's thread reports progress, which also renews the lease, and checks the time limit and the
    request to stop. In either case it releases the job at once, because the worker's thread may be
    busy for a long time; the next method that the worker's thread calls raises AttemptEnded. If it
    does not react within `hang_seconds`, the process is killed. Code that never releases the GIL
    stops both threads: the lease expires, and the worker's parent kills the process
    (`workers.synthesis.health`).

    The attempt continues while the store is unavailable: only the final state must be recorded.

    Args:
        job: the claimed job.
        store, queue: where the job's state and its messages are kept.
        retries: the retry policy for recording the final state.
        must_stop: whether the worker must stop now.
        lease_seconds: how long a lease lasts.
        hang_seconds: how long the worker's thread may run on after the job was released.
        kill_process: ends this process at once.
    """

    def __init__(
        self,
        job: Job,
        store: JobStore,
        queue: JobQueue,
        retries: RetryPolicy,
        *,
        must_stop: Callable[[], bool],
        lease_seconds: float,
        hang_seconds: float = HANG_SECONDS,
        kill_process: Callable[[], None] = lambda: os._exit(os.EX_SOFTWARE),
    ) -> None:
        self.job = job
        self._store = store
        self._queue = queue
        self._retries = retries
        self._must_stop = must_stop
        self._interval = min(lease_seconds / RENEWALS_PER_LEASE, REPORT_SECONDS)
        self._hang_seconds = hang_seconds
        self._kill_process = kill_process
        self._limit: TimeLimit | None = None
        self._position: tuple[Stage, float] | None = None
        self._reported: tuple[Stage, float] | None = None
        self._stage_began = 0.0
        self._span: Span = INVALID_SPAN
        self._reporting = threading.Lock()
        self._ended: AttemptEnded | None = None
        self._done = threading.Event()
        # In a copy of this context, for the fields of its log lines.
        self._thread = threading.Thread(
            target=copy_context().run, args=(self._keep,), name="lease", daemon=True
        )

    def __str__(self) -> str:
        return f"job={self.job.id} attempt={self.job.attempt}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._done.set()
        self._thread.join()
        self._end_span()

    @property
    def has_ended(self) -> bool:
        """Whether the job is no longer held."""
        return self._ended is not None

    # Called by the worker's thread.

    def enter(self, stage: Stage, seconds: float) -> None:
        """Begin a stage, which may take `seconds`, and end the one before.

        Raises:
            AttemptEnded: the job is no longer held.
        """
        self._leave()
        self.allow(stage, seconds)
        logger.info("%s stage=%s", self, stage)
        self._stage_began = time.monotonic()
        self._span = TRACER.start_span(stage)
        self._position = stage, STARTS[stage]
        self._require_held()
        self._call(self._report)

    def allow(self, stage: Stage, seconds: float) -> None:
        """Give the stage `seconds` from now on."""
        self._limit = TimeLimit(stage, seconds, time.monotonic() + seconds)

    def follow(
        self, batches: Iterable[NDArray[np.uint8]], num_frames: int
    ) -> Iterator[NDArray[np.uint8]]:
        """Yield batches of frames `[B, H, W, 3]` unchanged, counting them as progress.

        Raises:
            AttemptEnded: the job is no longer held.
        """
        rendered = 0
        for batch in batches:
            self._require_held()
            yield batch
            rendered += len(batch)
            FRAMES_RENDERED.inc(len(batch))
            self._note_rendered(rendered / num_frames)

    def succeed(self, result: Result, notices: tuple[str, ...]) -> Job:
        """Record the result as the job's final state.

        Raises:
            AttemptEnded: the job is no longer held.
            StoreUnavailable: the store did not respond; the lease expires.
        """
        after = self._finish(
            lambda: self._store.finish(self.job.id, self.job.attempt, result, notices)
        )
        self._leave()
        return after

    def fail(self, failure: Failure) -> Job:
        """Record a failure as the job's final state.

        Raises:
            AttemptEnded, StoreUnavailable: as for `succeed`.
        """
        return self._finish(lambda: self._store.fail(self.job.id, self.job.attempt, failure))

    def postpone(self) -> Job:
        """Give the job to a later attempt because a component is down; this one does not count.

        Raises:
            AttemptEnded, StoreUnavailable: as for `succeed`.
        """
        return self._finish(lambda: self._store.postpone(self.job.id, self.job.attempt))

    def requeue(self, reason: Failure) -> Job:
        """Give the job to another attempt; after the last one it fails for `reason`.

        Raises:
            AttemptEnded, StoreUnavailable: as for `succeed`.
        """
        return self._finish(lambda: self._store.requeue(self.job.id, self.job.attempt, reason))

    def _finish(self, move: Callable[[], Job]) -> Job:
        self._require_held()
        return self._call(lambda: self._retries.call(move))

    def _call(self, action: Callable[[], T]) -> T:
        try:
            return action()
        except StaleAttempt as lost:
            raise self._end(lost) from lost

    def _require_held(self) -> None:
        if self._ended is not None:
            raise self._ended

    def _note_rendered(self, share: float) -> None:
        begin, end = STARTS[Stage.RENDERING], STARTS[Stage.STORING]
        self._position = Stage.RENDERING, begin + (end - begin) * share

    def _leave(self) -> None:
        """End the current stage, if any, and record its seconds."""
        if self._position is not None:
            stage, _ = self._position
            STAGE_SECONDS.labels(stage).observe(time.monotonic() - self._stage_began)
        self._position = None
        self._end_span()

    def _end_span(self) -> None:
        self._span.end()
        self._span = INVALID_SPAN

    # Called by the lease's thread.

    def _keep(self) -> None:
        while not self._done.wait(self._interval):
            limit = self._limit
            is_over = limit is not None and time.monotonic() > limit.ends_at
            if is_over or self._must_stop():
                self._release(limit if is_over else None)
                return
            if self._ended is None:
                self._renew()

    def _renew(self) -> None:
        try:
            self._report()
        except StaleAttempt as lost:
            logger.info("%s lost: %s", self, lost)
            self._end(lost)

    def _report(self) -> None:
        """Report the progress, if it has changed, and renew the lease either way."""
        with self._reporting:  # so that no report overtakes a later one
            position = self._position
            try:
                if position is None or position == self._reported:
                    self._store.renew(self.job.id, self.job.attempt)
                else:
                    self._store.advance(self.job.id, self.job.attempt, *position)
                    self._reported = position
            except StoreUnavailable as unavailable:
                logger.warning("%s could not renew its lease: %s", self, unavailable)

    def _release(self, exceeded: TimeLimit | None) -> None:
        """Give the job to another attempt, and make sure that this one ends."""
        if self._ended is None:
            reason = str(exceeded or "the worker is shutting down")
            logger.warning("%s releases its job: %s", self, reason)
            self._ended = AttemptEnded(reason, is_released=True)
            try:
                self._time_out(exceeded) if exceeded else self._hand_back()
            except JobsError as refused:
                logger.warning(
                    "%s could not be released, so its lease will expire: %s", self, refused
                )
        if not self._done.wait(self._hang_seconds):
            logger.error("%s did not stop after losing its job; killing the process", self)
            self._kill_process()

    def _time_out(self, exceeded: TimeLimit) -> None:
        STAGE_TIMEOUTS.labels(exceeded.stage).inc()
        reason = attempts_used_up(self.job.attempts_counted, f"In the last attempt, {exceeded}.")
        after = self._store.requeue(self.job.id, self.job.attempt, reason)
        if after.failure:
            FAILURES.labels(after.failure.code).inc()

    def _hand_back(self) -> None:
        self._store.hand_back(self.job.id, self.job.attempt)
        try:
            self._queue.dispatch(self.job.id, self.job.priority)
            self._store.mark_dispatched(self.job.id)
        except Unavailable as unavailable:
            logger.warning(
                "%s could not be dispatched; the reconciler will do so: %s", self, unavailable
            )

    def _end(self, lost: StaleAttempt) -> AttemptEnded:
        """Return why the attempt has ended: the first reason counts."""
        if self._ended is None:
            self._ended = AttemptEnded(str(lost), is_released=False)
        return self._ended
