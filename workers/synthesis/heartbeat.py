"""The heartbeat: renews a job's lease during an attempt, and releases the job in time."""

import logging
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from jobs.errors import JobsError, StaleAttempt, StoreUnavailable

logger = logging.getLogger(__name__)

PARTING_SECONDS = 10.0
"""Seconds a released attempt may keep running before its process counts as hung."""


@dataclass(frozen=True)
class Limit:
    """Time limit of one step."""

    step: str
    seconds: float
    ends_at: float
    """On the monotonic clock."""

    def __str__(self) -> str:
        return f"{self.step} exceeded its time limit of {self.seconds:g} s"


class Heartbeat:
    """Renews a lease from its own thread, so that long steps do not lose the job.

    It releases the job when a step exceeds its time limit or the worker has to stop. The store then
    tells the attempt that it no longer owns the job. An attempt that keeps running regardless is
    hung, and its process exits. Code that blocks all other threads also stops the heartbeat: then
    the lease expires, and the worker's parent kills the process (`workers.synthesis.health`).

    Args:
        name: name of the attempt in the log.
        renew: renews the lease, or raises StaleAttempt.
        let_go: releases the job; its argument is the exceeded limit, or None if the worker stops.
        must_stop: whether the worker has to stop now.
        interval: seconds between two renewals.
        parting: seconds a released attempt may keep running before its process exits.
    """

    def __init__(
        self,
        name: str,
        renew: Callable[[], None],
        let_go: Callable[[Limit | None], object],
        *,
        must_stop: Callable[[], bool],
        interval: float,
        parting: float = PARTING_SECONDS,
        end_process: Callable[[], None] = lambda: os._exit(os.EX_SOFTWARE),
    ) -> None:
        self._name = name
        self._renew = renew
        self._let_go = let_go
        self._must_stop = must_stop
        self._interval = interval
        self._limit: Limit | None = None
        self._parting = parting
        self._end_process = end_process
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)
        self.has_let_go = False
        """Whether the job was released."""

    def allow(self, step: str, seconds: float) -> None:
        """Start a step with a time limit in seconds, ending the previous one."""
        self._limit = Limit(step, seconds, time.monotonic() + seconds)

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

    def _run(self) -> None:
        held = True
        while not self._done.wait(self._interval):
            limit = self._limit
            is_over = limit is not None and time.monotonic() > limit.ends_at
            if is_over or self._must_stop():
                self._part(held, limit if is_over else None)
                return
            held = held and self._keep()

    def _keep(self) -> bool:
        """Renew the lease and return whether the attempt still owns the job."""
        try:
            self._renew()
        except StaleAttempt as lost:
            logger.info("%s lost: %s", self._name, lost)
            return False
        except StoreUnavailable as silent:
            logger.warning("%s could not renew its lease: %s", self._name, silent)
        return True

    def _part(self, held: bool, over: Limit | None) -> None:
        if held:
            self.has_let_go = True
            logger.warning("%s released: %s", self._name, over or "the worker is shutting down")
            try:
                self._let_go(over)
            except JobsError as refused:
                logger.warning(
                    "%s could not be released, its lease will expire: %s", self._name, refused
                )
        if not self._done.wait(self._parting):
            logger.error("%s keeps running after it lost its job; the process exits", self._name)
            self._end_process()
