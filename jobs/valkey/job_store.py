"""The records in Valkey, under the keys of `layout`, with one transaction per change."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self, cast

from pydantic import ValidationError
from redis import Redis
from redis.client import Pipeline

from jobs.errors import InvalidTransition, JobNotFound, RecordUnreadable, StaleAttempt
from jobs.eta import RUNS_KEPT, Estimate, Run
from jobs.job import Failure, Job, JobStatus, Priority, Result, Stage
from jobs.settings import Settings
from jobs.valkey import idempotency, quotas, webhook_outbox
from jobs.valkey.api_keys import Quota
from jobs.valkey.connection import (
    clock_time,
    connect,
    read_clock,
    score,
    transact,
    translated_errors,
)
from jobs.valkey.keys import (
    CHANGES,
    JOURNAL_READ,
    LEADER,
    OUTBOX,
    RUNS,
    SPENT,
    events_key,
    gone_key,
    index_key,
    queue_key,
    record_key,
    tenant_key,
)
from jobs.valkey.listing import Cursor, JobFilter, Page, read_page

logger = logging.getLogger(__name__)

DISPATCH_GRACE = timedelta(seconds=5)
"""How long the sender of a job has to dispatch it before the reconciler does."""

REDISPATCH_AFTER = timedelta(seconds=60)
"""Minimum time after which a sent message without a claim counts as lost."""

MAX_EVENTS = 200
"""Approximate number of events kept per job; the oldest are dropped first."""

EVENTS_KEPT = timedelta(hours=1)
"""How long a job's events are kept after its end; they are much larger than its record."""

PAUSE_GROWTH = 6
"""Factor by which the delay between attempts grows."""

LONGEST_PAUSE = timedelta(minutes=5)

GONE_KEPT = timedelta(hours=1)
"""How long the id of a deleted job whose leftovers are cleared cannot be accepted again: longer
than anyone who has read its journal entry takes to restore it.
"""

ONE_SECOND = 1_000_000
"""In microseconds, like the scores."""

BATCH = 1000
"""Maximum number of jobs in one listing."""


@dataclass(frozen=True)
class Event:
    """A job after one change; ids increase and identify the change."""

    id: str
    job: Job


class JobStore:
    """The records, leases and indexes. Every method may raise StoreUnavailable.

    Safe to share between threads. A method that takes an attempt raises StaleAttempt, and changes
    nothing, if that attempt is not processing the job or the job was deleted.
    """

    def __init__(self, client: Redis, lease: float, retry_pause: float) -> None:
        """Store records in Valkey.

        Args:
            client: a client that decodes responses.
            lease: seconds without renewal after which a worker loses its job.
            retry_pause: seconds between a failed attempt and the next; grows each time.
        """
        self._client = client
        self._lease = timedelta(seconds=lease)
        self._retry_pause = timedelta(seconds=retry_pause)

    @classmethod
    def connect(cls, settings: Settings) -> Self:
        """Return the store given by the settings, without connecting."""
        client = connect(settings.valkey_url)
        return cls(client, settings.lease_seconds, settings.retry_pause_seconds)

    def accept(self, job: Job, quota: Quota | None = None) -> bool:
        """Record a new job; return False, and change nothing, if it exists or was deleted.

        The quota is that of the API key that creates the job; a restored job has none.

        Raises:
            LimitReached: a limit of the API key is reached for now.
            IdempotencyKeyTaken: another job owns the Idempotency-Key.
        """

        def insert(pipe: Pipeline) -> bool:
            is_there = pipe.exists(record_key(job.id), gone_key(job.id))
            is_new = not is_there and pipe.zscore(SPENT, job.id) is None
            now = read_clock(pipe)
            if is_new:
                idempotency.require_held(pipe, job)
            if is_new and quota is not None:
                quotas.require_quota(pipe, job.key_id, quota, now)
            pipe.multi()
            if is_new:
                self._write(pipe, None, job, now)
                idempotency.confirm(pipe, job)
            if is_new and quota is not None:
                quotas.count_made(pipe, job.key_id, now)
            return is_new

        watched = [quotas.active_key(job.key_id)] if job.key_id else []
        watched += idempotency.watched(job)
        return transact(self._client, insert, record_key(job.id), *watched)

    def reserve(self, job: Job) -> idempotency.Holder | None:
        """Reserve the Idempotency-Key of a job about to be created; return its current owner."""
        return idempotency.reserve(self._client, job)

    def release(self, job: Job) -> None:
        """Release the Idempotency-Key of a job that was not created."""
        idempotency.release(self._client, job)

    def require_quota(self, key_id: str | None, quota: Quota) -> None:
        """Check that an API key can create one more job; only `accept` guarantees it.

        Raises:
            LimitReached: a limit of the API key is reached for now.
        """
        with translated_errors():
            quotas.require_quota(self._client, key_id, quota, read_clock(self._client))

    def get(self, job_id: str) -> Job:
        """Return the job.

        Raises:
            JobNotFound: there is no job with this id.
        """
        with translated_errors():
            return _read(self._client, job_id)

    def page(self, tenant: str, wanted: JobFilter, limit: int, start: Cursor | None) -> Page:
        """Return a tenant's next jobs after a cursor, newest first."""
        return read_page(self._client, tenant, wanted, limit, start)

    def claim(self, job_id: str) -> Job:
        """Claim a queued job, with a lease; of concurrent claims, one succeeds.

        Raises:
            InvalidTransition: the job is not queued.
            JobNotFound: there is no job with this id.
        """
        return self._change(job_id, lambda job, now: job.claim(now))

    def advance(self, job_id: str, attempt: int, stage: Stage, progress: float) -> Job:
        """Record the progress of an attempt, from 0 to 1, and renew its lease."""
        return self._change_held(
            job_id, lambda job, now: job.advance(attempt, stage, progress, now)
        )

    def renew(self, job_id: str, attempt: int) -> None:
        """Renew the lease of an attempt."""

        def extend(pipe: Pipeline) -> None:
            _read_held(pipe, job_id).require_attempt(attempt)
            lease_end = read_clock(pipe) + self._lease
            pipe.multi()
            pipe.zadd(index_key(JobStatus.PROCESSING), {job_id: score(lease_end)})

        transact(self._client, extend, record_key(job_id))

    def finish(
        self, job_id: str, attempt: int, result: Result, notices: tuple[str, ...] = ()
    ) -> Job:
        """Record the result of an attempt; repeating it has no effect."""
        return self._change_held(
            job_id, lambda job, now: job.succeed(attempt, result, notices, now)
        )

    def fail(self, job_id: str, attempt: int, failure: Failure) -> Job:
        """Record why an attempt failed the job."""
        return self._change_held(job_id, lambda job, now: job.fail(attempt, failure, now))

    def requeue(self, job_id: str, attempt: int, reason: Failure | None = None) -> Job:
        """End an attempt with an error: the job is queued again, or fails after its last attempt.

        It then waits in the outbox for a while, so that a job that harms its workers leaves time
        for other jobs.
        """
        return self._change_held(job_id, lambda job, now: job.requeue(attempt, now, reason))

    def postpone(self, job_id: str, attempt: int) -> Job:
        """End an attempt because a component is unavailable; it does not count, but the job is
        delayed.

        The delay grows each time, so that the component can recover.
        """
        return self._change_held(job_id, lambda job, now: job.postpone(attempt, now))

    def hand_back(self, job_id: str, attempt: int) -> Job:
        """End an attempt because its worker is shutting down; it does not count."""
        return self._change_held(job_id, lambda job, now: job.hand_back(attempt, now))

    def requeue_expired(self, job_id: str, attempt: int) -> Job:
        """Take the job from an attempt whose lease has expired: its worker is lost.

        Raises:
            InvalidTransition: the lease was renewed in time.
        """

        def take(pipe: Pipeline) -> Job:
            job = _read_held(pipe, job_id)
            job.require_attempt(attempt)
            lease_end = pipe.zscore(index_key(JobStatus.PROCESSING), job_id) or 0
            if lease_end > score(read_clock(pipe)):
                raise InvalidTransition(f"Attempt {attempt} renewed its lease of job {job_id}.")
            return self._move(pipe, job, lambda job, now: job.lose(attempt, now))

        return transact(self._client, take, record_key(job_id))

    def cancel(self, job_id: str) -> Job:
        """Cancel a job for its caller; its worker is notified at its next write.

        Raises:
            InvalidTransition: the job has already ended.
            JobNotFound: there is no job with this id.
        """
        return self._change(job_id, lambda job, now: job.cancel(now))

    def delete(self, job_id: str) -> None:
        """Delete a job in any state; its objects become leftovers for the reconciler.

        Raises:
            JobNotFound: there is no job with this id.
        """

        def forget(pipe: Pipeline) -> None:
            job, now = _read(pipe, job_id), read_clock(pipe)
            pipe.multi()
            pipe.delete(record_key(job_id), events_key(job_id))
            pipe.zrem(index_key(job.status), job_id)
            pipe.zrem(queue_key(job.priority), job_id)
            pipe.zrem(tenant_key(job.tenant), job_id)
            pipe.zrem(OUTBOX, job_id)
            quotas.forget(pipe, job)
            webhook_outbox.forget(pipe, job_id)
            pipe.publish(CHANGES, job_id)
            self._mark_spent(pipe, job_id, now)

        transact(self._client, forget, record_key(job_id))

    def events(self, job_id: str, after: str = "0") -> list[Event]:
        """Return a job's events after the one with this id, oldest first."""
        with translated_errors():
            answer = self._client.xrange(events_key(job_id), min=f"({after}", max="+")
        return _events(answer)

    def latest_event(self, job_id: str) -> Event | None:
        """Return a job's latest event; None if its events have expired."""
        with translated_errors():
            answer = self._client.xrevrange(events_key(job_id), count=1)
        return next(iter(_events(answer)), None)

    def estimate(self, job_id: str) -> Estimate:
        """Return the data for estimating when a job will be done."""
        with translated_errors(), self._client.pipeline() as pipe:
            for priority in Priority:
                pipe.zrank(queue_key(priority), job_id)
                pipe.zcard(queue_key(priority))
            pipe.zrange(index_key(JobStatus.PROCESSING), 0, BATCH - 1)
            pipe.lrange(RUNS, 0, -1)
            pipe.time()
            *ranks, ids, runs, time = pipe.execute()
        position = _position(ranks)
        processing = () if position is None else tuple(self._known(ids))
        return Estimate(position, processing, tuple(runs), clock_time(*time))

    def counts(self) -> dict[JobStatus, int]:
        """Return the number of jobs in each state."""
        with translated_errors(), self._client.pipeline() as pipe:
            for status in JobStatus:
                pipe.zcard(index_key(status))
            return dict(zip(JobStatus, pipe.execute(), strict=True))

    def undispatched(self) -> list[str]:
        """Return the queued jobs whose message is due: never sent, or sent without a claim."""
        return self._ids_until(OUTBOX, self.now())

    def mark_dispatched(self, job_id: str) -> None:
        """Record that a queued job's message was sent; a job no longer queued is not an error.

        The message is due again after the time the job has waited so far. A lost message costs a
        job at most as long again, and a long queue gets few duplicates.
        """
        now = self.now()
        with translated_errors():
            queued_at = self._client.zscore(index_key(JobStatus.QUEUED), job_id)
            if queued_at is None:
                return
            waited = timedelta(microseconds=score(now) - queued_at)
            due = now + max(waited, REDISPATCH_AFTER)
            self._client.zadd(OUTBOX, {job_id: score(due)}, xx=True)

    def expired_leases(self) -> list[Job]:
        """Return the jobs whose lease has expired."""
        return self._known(self._ids_until(index_key(JobStatus.PROCESSING), self.now()))

    def shorten_leases(self) -> int:
        """Limit all leases to the length of one that starts now; return how many were longer.

        They are longer if the store's clock was set back; live workers renew theirs soon.
        """
        index, latest = index_key(JobStatus.PROCESSING), score(self.now() + self._lease)
        with translated_errors():
            # A lease renewed a moment ago may end slightly later without a clock change.
            answer = self._client.zrange(index, latest + ONE_SECOND, "+inf", byscore=True)
            if late := cast("list[str]", answer):
                self._client.zadd(index, dict.fromkeys(late, latest), xx=True, lt=True)
        return len(late)

    def spent(self) -> list[str]:
        """Return the ended and deleted jobs whose objects are no longer needed or written."""
        return self._ids_until(SPENT, self.now())

    def mark_cleared(self, job_id: str) -> None:
        """Record that a job's leftovers are cleared, unless it was deleted meanwhile.

        A reader of its journal entry may still be about to restore it. Deleting an ended job
        schedules it again, because its video is now a leftover.
        """

        def strike(pipe: Pipeline) -> None:
            is_due = (pipe.zscore(SPENT, job_id) or 0) <= score(read_clock(pipe))
            pipe.multi()
            if is_due:
                pipe.zrem(SPENT, job_id)
                pipe.set(gone_key(job_id), "1", px=GONE_KEPT)

        transact(self._client, strike, SPENT)

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
        """Record that the journal need not be read for the given number of seconds."""
        with translated_errors():
            self._client.set(JOURNAL_READ, "1", px=round(seconds * 1000))

    def now(self) -> datetime:
        """Return the time on the store's clock."""
        with translated_errors():
            return read_clock(self._client)

    def ping(self) -> None:
        """Return if Valkey responds."""
        with translated_errors():
            self._client.ping()

    def _known(self, job_ids: list[str]) -> list[Job]:
        """Return the jobs with these ids that exist and can be read."""
        if not job_ids:
            return []
        with translated_errors():
            records = self._client.mget([record_key(job_id) for job_id in job_ids])
        return [job for record in records if record and (job := _parse_or_tell(record))]

    def _change(self, job_id: str, move: Callable[[Job, datetime], Job]) -> Job:
        return transact(
            self._client,
            lambda pipe: self._move(pipe, _read(pipe, job_id), move),
            record_key(job_id),
        )

    def _change_held(self, job_id: str, move: Callable[[Job, datetime], Job]) -> Job:
        return transact(
            self._client,
            lambda pipe: self._move(pipe, _read_held(pipe, job_id), move),
            record_key(job_id),
        )

    def _move(self, pipe: Pipeline, job: Job, move: Callable[[Job, datetime], Job]) -> Job:
        now = read_clock(pipe)
        moved = move(job, now)
        pipe.multi()
        if moved is not job:
            self._write(pipe, job, moved, now)
        return moved

    def _write(self, pipe: Pipeline, before: Job | None, after: Job, now: datetime) -> None:
        """Queue the commands that move every key from one state of a job to the next."""
        job_id, record = after.id, after.model_dump_json()
        pipe.set(record_key(job_id), record)
        pipe.xadd(events_key(job_id), {"job": record}, maxlen=MAX_EVENTS)
        holds_lease = after.status is JobStatus.PROCESSING
        moment = now + self._lease if holds_lease else now
        pipe.zadd(index_key(after.status), {job_id: score(moment)})
        if before and before.status is not after.status:
            pipe.zrem(index_key(before.status), job_id)
        if after.status is JobStatus.QUEUED:
            pipe.zadd(queue_key(after.priority), {job_id: score(now)})
            pipe.zadd(OUTBOX, {job_id: score(now + self._wait(after))})
        else:
            pipe.zrem(queue_key(after.priority), job_id)
            pipe.zrem(OUTBOX, job_id)
        if before is None:
            pipe.zadd(tenant_key(after.tenant), {job_id: score(after.created_at)})
        quotas.count_change(pipe, before, after)
        webhook_outbox.enqueue(pipe, after, now)
        pipe.publish(CHANGES, job_id)
        if run := Run.of(after):
            pipe.lpush(RUNS, str(run))
            pipe.ltrim(RUNS, 0, RUNS_KEPT - 1)
        if after.status.is_final:
            pipe.expire(events_key(job_id), EVENTS_KEPT)
            self._mark_spent(pipe, job_id, now)

    def _wait(self, job: Job) -> timedelta:
        """Return the delay until the message of a job that was just queued is due."""
        if not job.setbacks:
            return DISPATCH_GRACE
        # Beyond 8, any delay exceeds the maximum, and soon the range of a timedelta.
        factor = float(PAUSE_GROWTH ** min(job.setbacks - 1, 8))
        return min(self._retry_pause * factor, LONGEST_PAUSE)

    def _mark_spent(self, pipe: Pipeline, job_id: str, now: datetime) -> None:
        # A worker may still be processing it; after one lease it has noticed or is dead.
        pipe.zadd(SPENT, {job_id: score(now + self._lease)})

    def _ids_until(self, index: str, when: datetime) -> list[str]:
        with translated_errors():
            ids = self._client.zrange(index, "-inf", score(when), byscore=True, offset=0, num=BATCH)
        return cast("list[str]", ids)


def _position(ranks: list[int | None]) -> int | None:
    """Return a job's position, given its rank in each queue and the queues' lengths, in order."""
    ahead = 0
    for rank, waiting in zip(ranks[::2], ranks[1::2], strict=True):
        if rank is not None:
            return ahead + rank + 1
        ahead += waiting or 0
    return None


def _events(entries: object) -> list[Event]:
    stream = cast("list[tuple[str, dict[str, str]]]", entries)
    return [Event(id, Job.model_validate_json(fields["job"])) for id, fields in stream]


def _read(client: Redis, job_id: str) -> Job:
    record = client.get(record_key(job_id))
    if record is None:
        raise JobNotFound(f"There is no job with the id {job_id}.")
    return _parse(record)


def _parse(record: str | bytes) -> Job:
    try:
        return Job.model_validate_json(record)
    except ValidationError as error:
        raise RecordUnreadable(f"A record cannot be read: {error}") from error


def _parse_or_tell(record: str | bytes) -> Job | None:
    """Return the job, or log that its record cannot be read and return None."""
    try:
        return _parse(record)
    except RecordUnreadable:
        logger.exception("Skipping a job")
        return None


def _read_held(client: Redis, job_id: str) -> Job:
    try:
        return _read(client, job_id)
    except JobNotFound as error:
        raise StaleAttempt(f"Job {job_id} was deleted while a worker was processing it.") from error
