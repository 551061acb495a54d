"""The jobs in Valkey: one transaction per change, and the questions callers ask."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self, cast

from redis import Redis
from redis.client import Pipeline

from jobs.errors import InvalidTransition, JobChanged, JobNotFound
from jobs.job import Job, JobStatus, Priority, Stage
from jobs.settings import Settings
from jobs.valkey import idempotency, quotas
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
    CLEANUPS,
    OUTBOX,
    PROBE,
    events_key,
    gone_key,
    index_key,
    queue_key,
    record_key,
)
from jobs.valkey.listing import Cursor, JobFilter, Page, read_page
from jobs.valkey.maintenance import Maintenance
from jobs.valkey.orphans import Orphans
from jobs.valkey.readings import Reading, Readings
from jobs.valkey.records import RecordWriter, parse_record, read, read_held
from jobs.values import Failure, Result

REDISPATCH_AFTER = timedelta(seconds=60)
"""Minimum time after which a sent message without a claim counts as lost."""


@dataclass(frozen=True)
class Event:
    """A job after one change; ids increase and identify the change."""

    id: str
    job: Job


class JobStore:
    """The jobs with their leases and events. Every method may raise StoreUnavailable.

    Safe to share between threads. A method that takes an attempt raises StaleAttempt, and changes
    nothing, if that attempt is not processing the job or the job was deleted. The
    reconciler also uses `maintenance` and `orphans`.
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
        self._writer = RecordWriter(self._lease, timedelta(seconds=retry_pause))
        self._readings = Readings(client)
        self.maintenance = Maintenance(client, self._lease)
        self.orphans = Orphans(client)

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
            is_new = not is_there and pipe.zscore(CLEANUPS, job.id) is None
            now = read_clock(pipe)
            if is_new:
                idempotency.require_held(pipe, job)
            if is_new and quota is not None:
                quotas.require_quota(pipe, job.key_id, quota, now)
            pipe.multi()
            if is_new:
                self._writer.write(pipe, None, job, now)
                idempotency.confirm(pipe, job)
            if is_new and quota is not None:
                quotas.count_made(pipe, job, now)
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

    def usage(self, key_id: str | None) -> quotas.Usage:
        """Return what an API key has used; None: what a system without API keys has used."""
        with translated_errors():
            return quotas.read_usage(self._client, key_id, read_clock(self._client))

    def get(self, job_id: str) -> Job:
        """Return the job.

        Raises:
            JobNotFound: there is no job with this id.
        """
        with translated_errors():
            return read(self._client, job_id)

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
            read_held(pipe, job_id).require_attempt(attempt)
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
            job = read_held(pipe, job_id)
            job.require_attempt(attempt)
            lease_end = pipe.zscore(index_key(JobStatus.PROCESSING), job_id) or 0
            if lease_end > score(read_clock(pipe)):
                raise InvalidTransition(f"Attempt {attempt} renewed its lease of job {job_id}.")
            return self._move(pipe, job, lambda job, now: job.lose(attempt, now))

        return transact(self._client, take, record_key(job_id))

    def cancel(self, job_id: str, expected: Job | None = None) -> Job:
        """Cancel a job for its caller; its worker is notified at its next write.

        Raises:
            InvalidTransition: the job has already ended.
            JobChanged: it is not in the expected version.
            JobNotFound: there is no job with this id.
        """

        def cancel(job: Job, now: datetime) -> Job:
            canceled = job.cancel(now)
            _require_version(job, expected)
            return canceled

        return self._change(job_id, cancel)

    def delete(self, job_id: str, expected: Job | None = None) -> None:
        """Delete a job in any state; its objects become leftovers for the reconciler.

        Raises:
            JobChanged: it is not in the expected version.
            JobNotFound: there is no job with this id.
        """

        def forget(pipe: Pipeline) -> None:
            job, now = read(pipe, job_id), read_clock(pipe)
            _require_version(job, expected)
            pipe.multi()
            self._writer.erase(pipe, job, now)

        transact(self._client, forget, record_key(job_id))

    def events(self, job_id: str, after: str = "0") -> list[Event]:
        """Return a job's events after the one with this id, oldest first."""
        with translated_errors():
            response = self._client.xrange(events_key(job_id), min=f"({after}", max="+")
        return _events(response)

    def latest_event(self, job_id: str) -> Event | None:
        """Return a job's latest event; None if its events have expired."""
        with translated_errors():
            response = self._client.xrevrange(events_key(job_id), count=1)
        return next(iter(_events(response)), None)

    def reading(self, job_id: str) -> Reading:
        """Return the job with its queue position and what its ETA is estimated from.

        Raises:
            JobNotFound: there is no job with this id.
        """
        for reading in self.readings([job_id]):
            return reading
        raise JobNotFound(f"There is no job with the id {job_id}.")

    def readings(self, job_ids: Sequence[str]) -> list[Reading]:
        """Return the same for those of several jobs that exist, in one round trip."""
        return self._readings.read(job_ids)

    def counts(self) -> dict[JobStatus, int]:
        """Return the number of jobs in each state."""
        with translated_errors(), self._client.pipeline() as pipe:
            for status in JobStatus:
                pipe.zcard(index_key(status))
            return dict(zip(JobStatus, pipe.execute(), strict=True))

    def longest_waits(self) -> dict[Priority, timedelta]:
        """Return how long the oldest queued job of each priority has waited; zero if none is."""
        with translated_errors(), self._client.pipeline() as pipe:
            for priority in Priority:
                pipe.zrange(queue_key(priority), 0, 0, withscores=True)
            pipe.time()
            *oldest, time = pipe.execute()
        now = score(clock_time(*time))
        waits = (max(0, now - found[0][1]) if found else 0 for found in oldest)
        return {
            priority: timedelta(microseconds=wait)
            for priority, wait in zip(Priority, waits, strict=True)
        }

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

    def now(self) -> datetime:
        """Return the time on the store's clock."""
        with translated_errors():
            return read_clock(self._client)

    def ping(self) -> None:
        """Return if Valkey responds and accepts writes.

        Raises:
            StoreReadOnly: it only responds.
        """
        with translated_errors():
            self._client.set(PROBE, 1, ex=60)

    def _change(self, job_id: str, move: Callable[[Job, datetime], Job]) -> Job:
        return transact(
            self._client,
            lambda pipe: self._move(pipe, read(pipe, job_id), move),
            record_key(job_id),
        )

    def _change_held(self, job_id: str, move: Callable[[Job, datetime], Job]) -> Job:
        return transact(
            self._client,
            lambda pipe: self._move(pipe, read_held(pipe, job_id), move),
            record_key(job_id),
        )

    def _move(self, pipe: Pipeline, job: Job, move: Callable[[Job, datetime], Job]) -> Job:
        now = read_clock(pipe)
        moved = move(job, now)
        pipe.multi()
        if moved is not job:
            self._writer.write(pipe, job, moved, now)
        return moved


def _require_version(job: Job, expected: Job | None) -> None:
    if expected is not None and job != expected:
        raise JobChanged(f"Job {job.id} has changed.")


def _events(entries: object) -> list[Event]:
    stream = cast("list[tuple[str, dict[str, str]]]", entries)
    return [Event(id, parse_record(fields["job"])) for id, fields in stream]
