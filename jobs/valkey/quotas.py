"""How much of its allowance a key has used: the jobs under way and those made today.

    amigo:key:{id}:active        set: ids of the jobs queued or processing
    amigo:key:{id}:made:{day}    how many jobs were made on a day, by UTC; kept for two

The store writes both in the transactions that change a job, so that no number of callers at once
goes over a ceiling. A restored job counts as under way, not as made.
"""

from datetime import UTC, datetime, time, timedelta
from typing import cast

from redis import Redis
from redis.client import Pipeline

from jobs.errors import QuotaExceeded, TooManyJobs
from jobs.job import Job
from jobs.valkey.api_keys import Allowance

COUNTS_KEPT = timedelta(days=2)


def active_key(key_id: str) -> str:
    """Return the key of the jobs under way that an API key made."""
    return f"amigo:key:{key_id}:active"


def made_key(key_id: str, now: datetime) -> str:
    """Return the key of the number of jobs that an API key made on the day."""
    return f"amigo:key:{key_id}:made:{now.astimezone(UTC).date()}"


def require_room(client: Redis, key_id: str | None, allowance: Allowance, now: datetime) -> None:
    """Return when one more job fits into what the key may do; without a key it does.

    Raises:
        TooManyJobs: as many as may be are under way.
        QuotaExceeded: as many as may be were made today.
    """
    if key_id is None:
        return
    active = client.scard(active_key(key_id))
    if allowance.concurrent_jobs is not None and active >= allowance.concurrent_jobs:
        raise TooManyJobs(allowance.concurrent_jobs)
    made = int(cast("str | None", client.get(made_key(key_id, now))) or 0)
    if allowance.jobs_a_day is not None and made >= allowance.jobs_a_day:
        raise QuotaExceeded(allowance.jobs_a_day, _until_midnight(now))


def count_made(pipe: Pipeline, key_id: str | None, now: datetime) -> None:
    """Queue the commands that count a job as made today."""
    if key_id is not None:
        pipe.incr(made_key(key_id, now))
        pipe.expire(made_key(key_id, now), COUNTS_KEPT)


def count_change(pipe: Pipeline, before: Job | None, after: Job) -> None:
    """Queue the command that counts a job as under way, or no longer."""
    if after.key_id is None:
        return
    if after.status.is_final:
        pipe.srem(active_key(after.key_id), after.id)
    elif before is None:
        pipe.sadd(active_key(after.key_id), after.id)


def forget(pipe: Pipeline, job: Job) -> None:
    """Queue the command that no longer counts a deleted job as under way."""
    if job.key_id is not None:
        pipe.srem(active_key(job.key_id), job.id)


def _until_midnight(now: datetime) -> timedelta:
    tomorrow = now.astimezone(UTC).date() + timedelta(days=1)
    return datetime.combine(tomorrow, time(), UTC) - now
