"""The reconciler's queries: which work is due, and which reconciler leads."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

from redis import Redis
from redis.client import Pipeline

from jobs.job import Job, JobStatus
from jobs.valkey.connection import read_clock, score, transact, translated_errors
from jobs.valkey.keys import (
    CLEANUPS,
    JOURNAL_POSITION,
    JOURNAL_READ,
    LEADER,
    OUTBOX,
    gone_key,
    index_key,
)
from jobs.valkey.records import BATCH, read_known

GONE_KEPT = timedelta(hours=1)
"""How long the id of a deleted job whose leftovers are cleared cannot be accepted again: longer
than anyone who has read its journal entry takes to restore it.
"""

ONE_SECOND = 1_000_000
"""In microseconds, like the scores."""


@dataclass(frozen=True)
class Pass:
    """A pass over the bucket: when it began, and the last position that it has reached."""

    began_at: datetime
    after: str = ""


class Maintenance:
    """Finds the jobs that need the reconciler. Every method may raise StoreUnavailable."""

    def __init__(self, client: Redis, lease: timedelta) -> None:
        self._client = client
        self._lease = lease

    def undispatched(self) -> list[str]:
        """Return the queued jobs whose message is due: never sent, or sent without a claim."""
        return self._ids_until(OUTBOX, self._now())

    def expired_leases(self) -> list[Job]:
        """Return the jobs whose lease has expired."""
        return read_known(
            self._client, self._ids_until(index_key(JobStatus.PROCESSING), self._now())
        )

    def shorten_leases(self) -> int:
        """Limit all leases to the length of one that starts now; return how many were longer.

        They are longer if the store's clock was set back; live workers renew theirs soon.
        """
        index, latest = index_key(JobStatus.PROCESSING), score(self._now() + self._lease)
        with translated_errors():
            # A lease renewed a moment ago may end slightly later without a clock change.
            response = self._client.zrange(index, latest + ONE_SECOND, "+inf", byscore=True)
            if late := cast("list[str]", response):
                self._client.zadd(index, dict.fromkeys(late, latest), xx=True, lt=True)
        return len(late)

    def cleanups_due(self) -> list[str]:
        """Return the ended and deleted jobs whose objects are no longer needed or written."""
        return self._ids_until(CLEANUPS, self._now())

    def mark_cleared(self, job_id: str) -> None:
        """Record that a job's leftovers are cleared, unless it was deleted meanwhile.

        A reader of its journal entry may still be about to restore it. Deleting an ended job
        schedules it again, because its video is now a leftover.
        """

        def strike(pipe: Pipeline) -> None:
            is_due = (pipe.zscore(CLEANUPS, job_id) or 0) <= score(read_clock(pipe))
            pipe.multi()
            if is_due:
                pipe.zrem(CLEANUPS, job_id)
                pipe.set(gone_key(job_id), "1", px=GONE_KEPT)

        transact(self._client, strike, CLEANUPS)

    def ended_before(self, when: datetime) -> list[str]:
        """Return the jobs that ended before a time on the store's clock."""
        finals = [status for status in JobStatus if status.is_final]
        return [job_id for final in finals for job_id in self._ids_until(index_key(final), when)]

    def lead(self, name: str, seconds: float) -> bool:
        """Return whether `name` is the leading reconciler for the next seconds; each call extends
        it.
        """

        def take(pipe: Pipeline) -> bool:
            leader = pipe.get(LEADER)
            pipe.multi()
            if leader in (None, name):
                pipe.set(LEADER, name, px=round(seconds * 1000))
            return leader in (None, name)

        return transact(self._client, take, LEADER)

    def is_journal_read(self) -> bool:
        """Return whether the journal was read recently and the store has not been lost since."""
        with translated_errors():
            return bool(self._client.exists(JOURNAL_READ))

    def mark_journal_read(self, seconds: float) -> None:
        """End the pass: the journal need not be read for the given number of seconds."""
        with translated_errors(), self._client.pipeline() as pipe:
            pipe.set(JOURNAL_READ, "1", px=round(seconds * 1000))
            pipe.delete(JOURNAL_POSITION)
            pipe.execute()

    def current_pass(self) -> Pass | None:
        """Return the pass that has begun and not ended, if any."""
        with translated_errors():
            found = cast("dict[str, str]", self._client.hgetall(JOURNAL_POSITION))
        return Pass(datetime.fromisoformat(found["began_at"]), found["after"]) if found else None

    def note_pass(self, current: Pass) -> None:
        """Record how far a pass has come."""
        began = current.began_at.isoformat()
        with translated_errors():
            self._client.hset(JOURNAL_POSITION, items=["began_at", began, "after", current.after])

    def _now(self) -> datetime:
        with translated_errors():
            return read_clock(self._client)

    def _ids_until(self, index: str, when: datetime) -> list[str]:
        with translated_errors():
            ids = self._client.zrange(index, "-inf", score(when), byscore=True, offset=0, num=BATCH)
        return cast("list[str]", ids)
