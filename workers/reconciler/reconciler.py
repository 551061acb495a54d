"""Repair of jobs whose worker, message or record was lost, and deletion of expired data."""

import logging
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import astuple, dataclass
from datetime import datetime, timedelta
from itertools import groupby

from pydantic import ValidationError

from jobs.errors import (
    IdempotencyKeyTaken,
    InvalidTransition,
    JobNotFound,
    ObjectNotFound,
    RecordUnreadable,
    StorageUnavailable,
    StoreUnavailable,
)
from jobs.job import WORKER_LOST, Job, JobStatus
from jobs.queue import JobQueue
from jobs.s3.api_key_backup import ApiKeyBackup
from jobs.s3.assets import Assets
from jobs.s3.object_store import ObjectStorage
from jobs.s3.paths import JOBS_PREFIX, attempt_prefix, job_of, job_prefix, request_key
from jobs.tracing import log_fields_of
from jobs.valkey.job_store import JobStore
from media.logging import log_fields

logger = logging.getLogger(__name__)

LEADERSHIP = 30.0
"""Seconds until another reconciler takes over from a leader that stopped."""

CLEARING = 10.0
"""Seconds after which a round clears no further jobs."""

URGENT_INTERVAL = 5.0
"""Seconds of reading the journal after which lost workers and messages are attended to again."""

JOURNAL_INTERVAL = 600.0
"""Seconds between two readings of the journal and two sweeps of the assets, unless the store is
lost in between. Both list many objects.
"""

JOURNAL_GRACE = timedelta(seconds=60)
"""Time a request may take from its journal entry to its record."""


@dataclass(frozen=True)
class Tally:
    """Number of jobs repaired in one round, by action.

    `swept` counts assets, unknown jobs and incomplete uploads whose objects were older than the
    retention; `lost` counts the failed jobs whose every worker was lost.
    """

    requeued: int = 0
    failed: int = 0
    lost: int = 0
    dispatched: int = 0
    deleted: int = 0
    restored: int = 0
    cleared: int = 0
    swept: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        """Return the sum, action by action."""
        return Tally(*map(sum, zip(astuple(self), astuple(other), strict=True)))


class Reconciler:
    """Ensures that an accepted job reaches a final state, whatever fails.

    Any number of reconcilers may run. One leads and the others wait, which only saves work: each
    step is a compare-and-set or idempotent, so two leaders at once would do no harm.

    Attributes:
        undeleted: jobs whose objects the object store did not delete in the last round.
    """

    undeleted = 0

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
        self._assets = Assets(storage)
        self._queue = queue
        self._retention = retention
        self._keys = keys
        self._name = secrets.token_hex(8)
        self._was_store_unavailable = False

    def run_once(self) -> Tally:
        """Run one round, most urgent steps first, then those that need the object store.

        Raises:
            Unavailable: a component is unavailable; the next round does the rest.
        """
        try:
            return self._repair()
        except StoreUnavailable:
            self._was_store_unavailable = True
            raise

    def _repair(self) -> Tally:
        if not self._maintenance.lead(self._name, LEADERSHIP):
            return Tally()
        tally = self._requeue_and_dispatch() + Tally(deleted=self._delete())
        if not self._maintenance.is_journal_read():
            tally += self._read_journal()
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

    def _read_journal(self) -> Tally:
        """List all objects, restore jobs and sweep leftovers.

        The listing of a large bucket takes minutes. What is urgent is done in between; if another
        reconciler leads by then, it reads the journal.
        """
        if self._keys is not None:
            self._keys.reconcile()
        now = self._store.now()
        tally, again = Tally(), JOURNAL_INTERVAL
        due = time.monotonic() + URGENT_INTERVAL
        items = self._storage.objects(JOBS_PREFIX)
        for job_id, found in groupby(items, lambda item: job_of(item.key)):
            if time.monotonic() > due:
                if not self._maintenance.lead(self._name, LEADERSHIP):
                    return tally
                tally += self._requeue_and_dispatch()
                due = time.monotonic() + URGENT_INTERVAL
            ages = {item.key: now - item.modified_at for item in found}
            entry = request_key(job_id)
            if entry in ages and not self._is_known(job_id):
                if ages[entry] > JOURNAL_GRACE:
                    tally += Tally(restored=self._restore(entry, now))
                else:
                    again = JOURNAL_GRACE.total_seconds()
            elif min(ages.values()) > self._retention and not self._is_known(job_id):
                # A request was interrupted, or the store was lost after the job had ended.
                self._storage.delete_prefix(job_prefix(job_id))
                tally += Tally(swept=1)
        tally += Tally(swept=self._assets.sweep(now))
        self._maintenance.mark_journal_read(again)
        return tally + Tally(swept=self._storage.abort_uploads(now - self._retention))

    def _is_known(self, job_id: str) -> bool:
        try:
            self._store.get(job_id)
        except JobNotFound:
            return False
        except RecordUnreadable:
            logger.warning("job=%s has a record that cannot be read", job_id)
        return True

    def _restore(self, entry: str, now: datetime) -> bool:
        """Accept jobs again that are in the journal but missing from a store that lost its data."""
        try:
            job = Job.read(self._storage.get(entry)).restore(now)
        except ObjectNotFound:
            return False  # the job ended during the listing
        except ValidationError:
            logger.exception("The journal entry %s cannot be read.", entry)
            return False
        try:
            return self._store.accept(job)
        except IdempotencyKeyTaken:
            # Its caller got no response and repeated the request: one request, one job.
            self._storage.delete_prefix(job_prefix(job.id))
            return False

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
