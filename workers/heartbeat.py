"""The heartbeat that keeps a job's lease while it is worked on, and lets the job go in time."""

import logging
import os
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from jobs.errors import JobsError, StaleAttempt, StoreUnavailable

logger = logging.getLogger(__name__)

PARTING_SECONDS = 10.0
"""How long a job that was let go may go on before its process is taken for hung."""


class Heartbeat:
    """Renews a lease from a thread of its own, so that no long step loses the job.

    It lets the job go when the time limit is over or the worker shall stop. The attempt learns of
    it from the store, like any that lost its job; one that goes on regardless hangs, and its
    process ends.

    Args:
        name: what the log calls the attempt.
        renew: renews the lease, or raises StaleAttempt.
        let_go: gives the job to another attempt.
        must_stop: whether the worker shall stop now.
        interval: seconds between two renewals.
        limit: seconds from now until the job is let go.
        parting: seconds that a job which was let go may go on before its process ends.
    """

    def __init__(
        self,
        name: str,
        renew: Callable[[], None],
        let_go: Callable[[], object],
        *,
        must_stop: Callable[[], bool],
        interval: float,
        limit: float,
        parting: float = PARTING_SECONDS,
        end_process: Callable[[], None] = lambda: os._exit(os.EX_SOFTWARE),
    ) -> None:
        self._name = name
        self._renew = renew
        self._let_go = let_go
        self._must_stop = must_stop
        self._interval = interval
        self._started = time.monotonic()
        self._limit = limit
        self._parting = parting
        self._end_process = end_process
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)
        self.has_let_go = False
        """Whether the job was let go."""

    def allow(self, seconds: float) -> None:
        """Set the time limit, in seconds since the heartbeat was made."""
        self._limit = seconds

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
            if self._is_over():
                self._part(held)
                return
            held = held and self._keep()

    def _is_over(self) -> bool:
        return self._must_stop() or time.monotonic() - self._started > self._limit

    def _keep(self) -> bool:
        """Renew the lease and return whether the job is still held."""
        try:
            self._renew()
        except StaleAttempt as lost:
            logger.info("%s lost: %s", self._name, lost)
            return False
        except StoreUnavailable as silent:
            logger.warning("%s keeps a lease that was not renewed: %s", self._name, silent)
        return True

    def _part(self, held: bool) -> None:
        if held:
            self.has_let_go = True
            logger.warning("%s let go: the worker stops, or the time limit is over", self._name)
            try:
                self._let_go()
            except JobsError as refused:
                logger.warning("%s was not let go, its lease runs out: %s", self._name, refused)
        if not self._done.wait(self._parting):
            logger.error("%s goes on without its job, so this process ends", self._name)
            self._end_process()
