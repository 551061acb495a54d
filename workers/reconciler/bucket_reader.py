"""Passes over the bucket: jobs that the store lost are restored, leftovers are deleted.

A pass lists all jobs, a thousand per request, and looks into those without a record: orphans. It
reads for a few seconds per round and continues in the next one; the store holds its position. So
a bucket of any size delays no other step, the next leader continues, and a store that lost its data
gets a new pass at once.
"""

import logging
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeVar

from pydantic import ValidationError

from jobs.assets import ASSETS_PREFIX
from jobs.errors import IdempotencyKeyTaken, ObjectNotFound
from jobs.job import Job
from jobs.s3.api_key_backup import ApiKeyBackup
from jobs.s3.assets import Assets
from jobs.s3.object_store import ObjectStorage
from jobs.s3.paths import JOBS_PREFIX, job_of, job_prefix, request_key
from jobs.valkey.job_store import JobStore
from jobs.valkey.maintenance import Pass
from workers.reconciler.tally import Tally

logger = logging.getLogger(__name__)

READING = 4.0
"""Seconds after which a round continues its pass in the next round, and likewise looks at no
further orphan.
"""

PASS_INTERVAL = 600.0
"""Seconds between two passes, unless the store is lost in between."""

JOURNAL_GRACE = timedelta(seconds=60)
"""Time a request may take from its journal entry to its record."""

LISTINGS = 8
"""Number of orphans whose objects are listed at the same time."""

END = "end"
"""The position after the last key."""

T = TypeVar("T")


def for_a_while(items: Iterable[T]) -> Iterator[T]:
    """Yield items until the time for reading is over; at least one, so that each round advances."""
    end = time.monotonic() + READING
    for item in items:
        yield item
        if time.monotonic() > end:
            return


class BucketReader:
    """Restores jobs from their journal entries and deletes leftovers that are past the retention.

    Attributes:
        is_reading: whether a pass is under way, which the next round continues.
        pass_seconds: duration of this pass, or of the last one.
    """

    is_reading = False
    pass_seconds = 0.0

    def __init__(
        self,
        store: JobStore,
        storage: ObjectStorage,
        retention: timedelta,
        keys: ApiKeyBackup | None = None,
    ) -> None:
        self._store = store
        self._maintenance = store.maintenance
        self._orphans = store.orphans
        self._storage = storage
        self._assets = Assets(storage)
        self._retention = retention
        self._keys = keys

    def read(self) -> Tally:
        """Look at the orphans that are due, then continue the pass, for a few seconds each."""
        now = self._store.now()
        return self._look_again(now) + self._continue_pass(now)

    def _look_again(self, now: datetime) -> Tally:
        due = self._orphans.due(now - JOURNAL_GRACE, now - self._retention)
        return sum((done for _, done in for_a_while(self._look_at_each(due, now))), Tally())

    def _continue_pass(self, now: datetime) -> Tally:
        self.is_reading = not self._maintenance.is_journal_read()
        if not self.is_reading:
            return Tally()
        current = self._maintenance.current_pass() or self._begin_pass(now)
        steps = list(for_a_while(self._walk(current.after, now)))
        after, tally = steps[-1][0], sum((done for _, done in steps), Tally())
        if self._maintenance.current_pass() != current:
            return tally  # the store lost its data meanwhile: everything is to be read again
        self.pass_seconds = (self._store.now() - current.began_at).total_seconds()
        if after != END:
            self._maintenance.note_pass(replace(current, after=after))
            return tally
        self._maintenance.mark_journal_read(PASS_INTERVAL)
        self.is_reading = False
        return tally + Tally(swept=self._storage.abort_uploads(now - self._retention))

    def _begin_pass(self, now: datetime) -> Pass:
        if self._keys is not None:
            self._keys.reconcile()
        begun = Pass(began_at=now)
        self._maintenance.note_pass(begun)
        return begun

    def _walk(self, after: str, now: datetime) -> Iterator[tuple[str, Tally]]:
        """Look at everything after a key; yield each position reached and what was done there."""
        if not after.startswith(ASSETS_PREFIX):
            for prefixes in self._storage.prefixes(JOBS_PREFIX, after):
                yield from self._look_at_each(self._found_orphans(prefixes), now)
                yield prefixes[-1], Tally()
            after = ""
        for key, is_swept in self._assets.sweep(now, after):
            yield key, Tally(swept=is_swept)
        yield END, Tally()

    def _found_orphans(self, prefixes: list[str]) -> list[str]:
        """Return the orphans among some jobs, except those to be looked at later."""
        return self._orphans.not_noted(self._orphans.among([job_of(each) for each in prefixes]))

    def _look_at_each(self, job_ids: list[str], now: datetime) -> Iterator[tuple[str, Tally]]:
        """Look at orphans; yield the prefix of each and what was done.

        After a loss of the store, all jobs are orphans: their objects are listed concurrently.
        """
        with ThreadPoolExecutor(LISTINGS) as pool:
            for start in range(0, len(job_ids), LISTINGS):
                batch = job_ids[start : start + LISTINGS]
                for job_id, times in zip(batch, pool.map(self._times, batch), strict=True):
                    yield job_prefix(job_id), self._look_at(job_id, times, now)

    def _times(self, job_id: str) -> dict[str, datetime]:
        """Return when each object of a job was written."""
        objects = self._storage.objects(job_prefix(job_id))
        return {item.key: item.modified_at for item in objects}

    def _look_at(self, job_id: str, times: Mapping[str, datetime], now: datetime) -> Tally:
        """Restore an orphan or delete its objects, or note it if neither is due."""
        if not times:
            self._storage.delete_folders(job_prefix(job_id))
        if not times or not self._orphans.among([job_id]):
            self._orphans.forget(job_id)  # it was cleared or accepted meanwhile
            return Tally()
        entry = request_key(job_id)
        since = times.get(entry, max(times.values()))
        if entry in times and since < now - JOURNAL_GRACE:
            done = Tally(restored=self._restore(entry, now))
        elif entry not in times and since < now - self._retention:
            # A request was interrupted, or the store was lost after the job had ended.
            self._storage.delete_prefix(job_prefix(job_id))
            done = Tally(swept=1)
        else:
            self._orphans.note(job_id, since, is_new=since >= now - JOURNAL_GRACE)
            return Tally()
        self._orphans.forget(job_id)
        return done

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
