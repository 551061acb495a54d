"""A job's record and every key that follows it: how they are read and written."""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import lru_cache

from pydantic import ValidationError
from redis import Redis
from redis.client import Pipeline

from jobs.errors import JobNotFound, RecordUnreadable, StaleAttempt
from jobs.eta import RUNS_KEPT, Run
from jobs.job import Job, JobStatus
from jobs.valkey import quotas, webhook_outbox
from jobs.valkey.connection import score, translated_errors
from jobs.valkey.keys import (
    CHANGES,
    CLEANUPS,
    OUTBOX,
    RUNS,
    events_key,
    index_key,
    queue_key,
    record_key,
    tenant_key,
)

logger = logging.getLogger(__name__)

DISPATCH_GRACE = timedelta(seconds=5)
"""How long the sender of a job has to dispatch it before the reconciler does."""

MAX_EVENTS = 200
"""Approximate number of events kept per job; the oldest are dropped first."""

EVENTS_KEPT = timedelta(hours=1)
"""How long a job's events are kept after its end; they are much larger than its record."""

PAUSE_GROWTH = 6
"""Factor by which the delay between attempts grows."""

LONGEST_PAUSE = timedelta(minutes=5)

RECORDS_PARSED = 1000
"""Number of jobs kept after parsing, some 10 KB each."""

BATCH = 1000
"""Maximum number of jobs in one listing."""


class RecordWriter:
    """Queues the commands of a transaction that changes a job."""

    def __init__(self, lease: timedelta, retry_pause: timedelta) -> None:
        self._lease = lease
        self._retry_pause = retry_pause

    def write(self, pipe: Pipeline, before: Job | None, after: Job, now: datetime) -> None:
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
        quotas.count_change(pipe, before, after, now)
        webhook_outbox.enqueue(pipe, after, now)
        pipe.publish(CHANGES, job_id)
        if run := Run.of(after):
            pipe.lpush(RUNS, str(run))
            pipe.ltrim(RUNS, 0, RUNS_KEPT - 1)
        if after.status.is_final:
            pipe.expire(events_key(job_id), EVENTS_KEPT)
            self._schedule_cleanup(pipe, job_id, now)

    def erase(self, pipe: Pipeline, job: Job, now: datetime) -> None:
        """Queue the commands that delete a job; its objects become leftovers."""
        pipe.delete(record_key(job.id), events_key(job.id))
        pipe.zrem(index_key(job.status), job.id)
        pipe.zrem(queue_key(job.priority), job.id)
        pipe.zrem(tenant_key(job.tenant), job.id)
        pipe.zrem(OUTBOX, job.id)
        quotas.forget(pipe, job)
        webhook_outbox.forget(pipe, job.id)
        pipe.publish(CHANGES, job.id)
        self._schedule_cleanup(pipe, job.id, now)

    def _wait(self, job: Job) -> timedelta:
        """Return the delay until the message of a job that was just queued is due."""
        if not job.setbacks:
            return DISPATCH_GRACE
        # Beyond 8, any delay exceeds the maximum, and soon the range of a timedelta.
        factor = float(PAUSE_GROWTH ** min(job.setbacks - 1, 8))
        return min(self._retry_pause * factor, LONGEST_PAUSE)

    def _schedule_cleanup(self, pipe: Pipeline, job_id: str, now: datetime) -> None:
        # A worker may still be processing it; after one lease it has noticed or is dead.
        pipe.zadd(CLEANUPS, {job_id: score(now + self._lease)})


def read(client: Redis, job_id: str) -> Job:
    """Return the job.

    Raises:
        JobNotFound: there is no job with this id.
        RecordUnreadable: its record cannot be read.
    """
    record = client.get(record_key(job_id))
    if record is None:
        raise JobNotFound(f"There is no job with the id {job_id}.")
    return parse_record(record)


def read_held(client: Redis, job_id: str) -> Job:
    """Return the job of a worker's attempt, as `read` does.

    Raises:
        StaleAttempt: the job was deleted.
    """
    try:
        return read(client, job_id)
    except JobNotFound as error:
        raise StaleAttempt(f"Job {job_id} was deleted while a worker was processing it.") from error


def read_known(client: Redis, job_ids: list[str]) -> list[Job]:
    """Return the jobs with these ids that exist and can be read; log those that cannot."""
    if not job_ids:
        return []
    with translated_errors():
        records = client.mget([record_key(job_id) for job_id in job_ids])
    return parse_known(records)


def parse_known(records: Sequence[str | bytes | None]) -> list[Job]:
    """Return the jobs of those records that exist and can be read; log the others."""
    return [job for record in records if record and (job := _parse_or_log(record))]


@lru_cache(maxsize=RECORDS_PARSED)
def parse_record(record: str | bytes) -> Job:
    """Return the job of a record; records read again and again are parsed once.

    Raises:
        RecordUnreadable: it cannot be read.
    """
    try:
        return Job.read(record)
    except ValidationError as error:
        raise RecordUnreadable(f"A record cannot be read: {error}") from error


def _parse_or_log(record: str | bytes) -> Job | None:
    try:
        return parse_record(record)
    except RecordUnreadable:
        logger.exception("Skipping a job whose record cannot be read")
        return None
