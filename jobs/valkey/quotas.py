"""Usage of an API key's limits: unfinished jobs and jobs created today.

    amigo:key:{id}:active        set: ids of the jobs queued or processing
    amigo:key:{id}:made:{day}    number of jobs created on a UTC day; kept for two days

The store writes both in the transactions that change a job, so concurrent callers cannot exceed a
limit. A restored job counts as unfinished, not as created.
"""

from datetime import UTC, datetime, time, timedelta
from typing import cast

from redis import Redis
from redis.client import Pipeline

from jobs.errors import QuotaExceeded, TooManyJobs
from jobs.job import Job
from jobs.valkey.api_keys import Quota

COUNTS_KEPT = timedelta(days=2)


def active_key(key_id: str) -> str:
    """Return the key of an API key's unfinished jobs."""
    return f"amigo:key:{key_id}:active"


def made_key(key_id: str, now: datetime) -> str:
    """Return the key of the number of jobs that an API key created on the given day."""
    return f"amigo:key:{key_id}:made:{now.astimezone(UTC).date()}"


def require_quota(client: Redis, key_id: str | None, quota: Quota, now: datetime) -> None:
    """Check that one more job is within the limits of an API key; no API key means no limits.

    Raises:
        TooManyJobs: the limit of concurrent jobs is reached.
        QuotaExceeded: the daily limit is reached.
    """
    if key_id is None:
        return
    active = client.scard(active_key(key_id))
    if quota.concurrent_jobs is not None and active >= quota.concurrent_jobs:
        raise TooManyJobs(quota.concurrent_jobs)
    made = int(cast("str | None", client.get(made_key(key_id, now))) or 0)
    if quota.jobs_a_day is not None and made >= quota.jobs_a_day:
        raise QuotaExceeded(quota.jobs_a_day, _until_midnight(now))


def count_made(pipe: Pipeline, key_id: str | None, now: datetime) -> None:
    """Queue the commands that count a job as created today."""
    if key_id is not None:
        pipe.incr(made_key(key_id, now))
        pipe.expire(made_key(key_id, now), COUNTS_KEPT)


def count_change(pipe: Pipeline, before: Job | None, after: Job) -> None:
    """Queue the command that starts or stops counting a job as unfinished."""
    if after.key_id is None:
        return
    if after.status.is_final:
        pipe.srem(active_key(after.key_id), after.id)
    elif before is None:
        pipe.sadd(active_key(after.key_id), after.id)


def forget(pipe: Pipeline, job: Job) -> None:
    """Queue the command that stops counting a deleted job as unfinished."""
    if job.key_id is not None:
        pipe.srem(active_key(job.key_id), job.id)


def _until_midnight(now: datetime) -> timedelta:
    tomorrow = now.astimezone(UTC).date() + timedelta(days=1)
    return datetime.combine(tomorrow, time(), UTC) - now
