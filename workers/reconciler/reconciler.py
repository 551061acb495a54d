"""Repair of jobs whose worker, message or record was lost, and deletion of expired data."""

import logging
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

from jobs.errors import (
    InvalidTransition,
    JobNotFound,
    RecordUnreadable,
    StorageUnavailable,
    StoreUnavailable,
)
from jobs.job import WORKER_LOST, Job, JobStatus
from jobs.queue import JobQueue
from jobs.s3.api_key_backup import ApiKeyBackup
from jobs.s3.object_store import ObjectStorage
from jobs.s3.paths import attempt_prefix, job_prefix
from jobs.tracing import log_fields_of
from jobs.valkey.job_store import JobStore
from media.logging import log_fields
from workers.reconciler.bucket_reader import BucketReader
from workers.reconciler.tally import Tally

logger = logging.getLogger(__name__)

LEADERSHIP = 30.0
"""Seconds until another reconciler takes over from a leader that stopped."""

CLEARING = 10.0
"""Seconds after which a round clears no further jobs."""


class Reconciler:
    """Ensures that an accepted job reaches a final state, whatever fails.

    Any number of reconcilers may run. One leads and the others wait, which only saves work: each
    step is a compare-and-set or idempotent, so two leaders at once would do no harm.

    Attributes:
        undeleted: jobs whose objects the object store did not delete in the last round.
        is_reading: whether a pass over the bucket is under way, which the next round continues.
        pass_seconds: duration of this pass, or of the last one.
    """

    undeleted = 0
    is_reading = False
    pass_seconds = 0.0

    def __init__(
        self,
        store: JobStore,
        storage: ObjectStorage,
        queue: JobQueue,
        retention: timedelta,
        keys: ApiKeyBackup | None = None,
    ) -> None:
        self._store = store
        self._maintenance = store.maintenance
        self._storage = storage
        self._bucket = BucketReader(store, storage, retention, keys)
        self._queue = queue
        self._retention = retention
        self._name = secrets.token_hex(8)
        self._was_store_unavailable = False

    def run_once(self) -> Tally:
        """Run one round, most urgent steps first, then those that need the object store.

        Raises:
            Unavailable: a component is unavailable; the next round does the rest.
        """
        self.is_reading = False
        try:
            return self._repair()
        except StoreUnavailable:
            self._was_store_unavailable = True
            raise

    def _repair(self) -> Tally:
        if not self._maintenance.lead(self._name, LEADERSHIP):
            return Tally()
        tally = self._requeue_and_dispatch() + Tally(deleted=self._delete())
        tally += self._bucket.read()
        self.is_reading, self.pass_seconds = self._bucket.is_reading, self._bucket.pass_seconds
        return tally + Tally(cleared=self._clear())

    def _requeue_and_dispatch(self) -> Tally:
        """Take the steps that jobs and their callers wait for."""
        taken = self._requeue_expired()
        codes = [job.failure.code for job in taken if job.failure]
        return Tally(
            requeued=len(taken) - len(codes),
            failed=len(codes),
            lost=codes.count(WORKER_LOST),
            dispatched=self._dispatch(),
        )

    def _requeue_expired(self) -> list[Job]:
        """Take jobs from workers that stopped responding; return them, queued again or failed.

        After an outage of the store, this waits one round, so that live workers can renew their
        leases.
        """
        self._maintenance.shorten_leases()
        if self._was_store_unavailable:
            self._was_store_unavailable = False
            return []
        taken = []
        for job in self._maintenance.expired_leases():
            # The worker responded after all, or the job ended: nothing to repair.
            with suppress(InvalidTransition), log_fields(**log_fields_of(job)):
                after = self._store.requeue_expired(job.id, job.attempt)
                logger.warning(
                    "job=%s attempt=%d lost its worker, now %s", job.id, job.attempt, after.status
                )
                taken.append(after)
        return taken

    def _dispatch(self) -> int:
        job_ids = self._maintenance.undispatched()
        for job_id in job_ids:
            with _if_there(job_id):
                self._queue.dispatch(job_id, self._store.get(job_id).priority)
                self._store.mark_dispatched(job_id)
        return len(job_ids)

    def _delete(self) -> int:
        """Delete jobs past their retention; their objects are cleared like other leftovers."""
        job_ids = self._maintenance.ended_before(self._store.now() - self._retention)
        for job_id in job_ids:
            with _if_there(job_id):
                self._store.delete(job_id)
        return len(job_ids)

    def _clear(self) -> int:
        """Delete leftover objects of ended and deleted jobs; return the number of jobs.

        If the object store is slow, the rest waits for the next round, so that lost workers are
        detected in time.

        Raises:
            StorageUnavailable: it refused to delete some; the next round tries again.
        """
        end, cleared = time.monotonic() + CLEARING, 0
        refusals: list[StorageUnavailable] = []
        for job_id in self._maintenance.cleanups_due():
            with _if_there(job_id), _noted(refusals):
                self._clear_job(job_id)
                self._maintenance.mark_cleared(job_id)
                cleared += 1
            if time.monotonic() > end:
                break
        self.undeleted = len(refusals)
        if refusals:
            raise refusals[-1]
        return cleared

    def _clear_job(self, job_id: str) -> None:
        """Delete a job's objects except the winning video."""
        try:
            job = self._store.get(job_id)
        except JobNotFound:
            self._storage.delete_prefix(job_prefix(job_id))
            return
        if job.status is JobStatus.SUCCEEDED:
            kept = attempt_prefix(job_id, job.attempt)
            self._storage.delete_prefix(job_prefix(job_id), keep=kept)
        elif job.status.is_final:  # unless the store has been lost since and the job restored
            self._storage.delete_prefix(job_prefix(job_id))


@contextmanager
def _if_there(job_id: str) -> Iterator[None]:
    """Skip a job that was deleted meanwhile or has an unreadable record, so that others need not
    wait.
    """
    with log_fields(job_id=job_id):
        try:
            yield
        except JobNotFound:
            return
        except RecordUnreadable:
            logger.exception("job=%s is skipped", job_id)


@contextmanager
def _noted(refusals: list[StorageUnavailable]) -> Iterator[None]:
    """Note that the object store deletes nothing of one job; it may delete those of others."""
    try:
        yield
    except StorageUnavailable as refusal:
        refusals.append(refusal)
