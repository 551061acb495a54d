"""What the reconciler puts right: jobs whose worker, message, record or time is gone."""

import logging
import secrets
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from pydantic import ValidationError

from jobs.assets import Assets
from jobs.errors import IdempotencyKeyTaken, InvalidTransition, JobNotFound, ObjectNotFound
from jobs.job import Job, JobStatus
from jobs.key_archive import KeyArchive
from jobs.queue import JobQueue
from jobs.storage import (
    JOBS_PREFIX,
    ObjectStorage,
    attempt_prefix,
    inputs_prefix,
    job_prefix,
    journaled_job,
)
from jobs.store import JobStore

logger = logging.getLogger(__name__)

LEADERSHIP = 30.0
"""Seconds until another reconciler takes over from a leader that stopped."""

JOURNAL_INTERVAL = 600.0
"""Seconds between two readings of the journal, and two sweepings of the assets, unless the store
is lost in between: both list many objects."""

JOURNAL_GRACE = timedelta(seconds=60)
"""How long a request may take from its journal entry to its record."""


@dataclass(frozen=True)
class Tally:
    """How many jobs one run put right, by what was done for them, and how many assets it swept."""

    requeued: int = 0
    failed: int = 0
    dispatched: int = 0
    deleted: int = 0
    restored: int = 0
    cleared: int = 0
    swept: int = 0


class Reconciler:
    """Keeps the promise that an accepted job reaches a final state, whatever dies.

    Any number may run. One leads and the others wait, which only saves work: each step is a
    compare-and-set or harmless when done twice, so two leaders at once would do no harm.
    """

    def __init__(
        self,
        store: JobStore,
        storage: ObjectStorage,
        queue: JobQueue,
        retention: timedelta,
        keys: KeyArchive | None = None,
    ) -> None:
        self._store = store
        self._storage = storage
        self._assets = Assets(storage)
        self._queue = queue
        self._retention = retention
        self._keys = keys
        self._name = secrets.token_hex(8)

    def run_once(self) -> Tally:
        """Put right what is wrong now; the most urgent first, then what needs the object store.

        Raises:
            Unavailable: a component cannot be reached; what was not done is done next time.
        """
        if not self._store.lead(self._name, LEADERSHIP):
            return Tally()
        taken = self._take_back()
        requeued = [job.id for job in taken if job.status is JobStatus.QUEUED]
        is_time_to_list = not self._store.is_journal_read()
        return Tally(
            requeued=len(requeued),
            failed=len(taken) - len(requeued),
            dispatched=self._dispatch([*requeued, *self._store.undispatched()]),
            deleted=self._delete(),
            restored=self._restore() if is_time_to_list else 0,
            cleared=self._clear(),
            swept=self._assets.sweep(self._store.now()) if is_time_to_list else 0,
        )

    def _take_back(self) -> list[Job]:
        """Take jobs from workers that fell silent; return them, queued again or failed."""
        taken = []
        for job in self._store.expired_leases():
            # The worker spoke after all, or the job ended: nothing is wrong any more.
            with suppress(InvalidTransition):
                taken.append(self._store.requeue_expired(job.id, job.attempt))
        return taken

    def _dispatch(self, job_ids: Iterable[str]) -> int:
        once_each = dict.fromkeys(job_ids)
        for job_id in once_each:
            with suppress(JobNotFound):  # its caller deleted it meanwhile
                self._queue.dispatch(job_id, self._store.get(job_id).priority)
                self._store.mark_dispatched(job_id)
        return len(once_each)

    def _delete(self) -> int:
        """Forget jobs past their retention; their objects are cleared like any leftovers."""
        job_ids = self._store.ended_before(self._store.now() - self._retention)
        for job_id in job_ids:
            with suppress(JobNotFound):  # its caller deleted it first
                self._store.delete(job_id)
        return len(job_ids)

    def _restore(self) -> int:
        """Accept again what the journal knows and a store that lost its data does not."""
        if self._keys is not None:
            self._keys.reconcile()
        restored = 0
        too_young = self._store.now() - JOURNAL_GRACE
        for item in self._storage.objects(JOBS_PREFIX):
            job_id = journaled_job(item.key)
            if job_id and item.modified_at < too_young and not self._is_known(job_id):
                restored += self._restore_one(item.key)
        self._store.mark_journal_read(JOURNAL_INTERVAL)
        return restored

    def _is_known(self, job_id: str) -> bool:
        try:
            self._store.get(job_id)
        except JobNotFound:
            return False
        return True

    def _restore_one(self, key: str) -> bool:
        try:
            job = Job.model_validate_json(self._storage.get(key))
        except ObjectNotFound:
            return False  # the job ended while we listed
        except ValidationError:
            logger.exception("The journal entry %s cannot be read.", key)
            return False
        try:
            return self._store.accept(job)
        except IdempotencyKeyTaken:
            # Its caller heard no answer and sent it again: one request, one job.
            self._storage.delete_prefix(job_prefix(job.id))
            return False

    def _clear(self) -> int:
        """Delete what nobody needs of an ended or deleted job."""
        job_ids = self._store.spent()
        for job_id in job_ids:
            for prefix in self._leftovers(job_id):
                self._storage.delete_prefix(prefix)
            self._store.mark_cleared(job_id)
        return len(job_ids)

    def _leftovers(self, job_id: str) -> list[str]:
        """Return the prefixes of all that nobody needs: all but the video that won."""
        try:
            job = self._store.get(job_id)
        except JobNotFound:
            return [job_prefix(job_id)]
        if job.status is not JobStatus.SUCCEEDED:
            return [job_prefix(job_id)]
        lost = [attempt_prefix(job_id, attempt) for attempt in range(1, job.attempt)]
        return [inputs_prefix(job_id), *lost]
