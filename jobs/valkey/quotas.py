"""Usage of an API key and of its limits: unfinished jobs, and jobs created and ended today.

    amigo:key:{id}:active        set: ids of the jobs queued or processing
    amigo:key:{id}:made:{day}    number of jobs created on a UTC day; kept for two days
    amigo:key:{id}:ended:{day}   hash: number of jobs that ended on that day, by final state, and
                                 the `video_seconds` made; kept for two days

The store writes them in the transactions that change a job, so concurrent callers cannot exceed a
limit. A restored job counts as unfinished, not as created. Jobs of a system without API keys count
under the id `local`.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import cast

from redis import Redis
from redis.client import Pipeline

from jobs.errors import QuotaExceeded, TooManyJobs
from jobs.job import Job, JobStatus
from jobs.valkey.api_keys import LOCAL_TENANT, Quota

COUNTS_KEPT = timedelta(days=2)

VIDEO_SECONDS = "video_seconds"


@dataclass(frozen=True)
class Usage:
    """What an API key has used.

    Attributes:
        day_start: the start of the UTC day to which the counts refer.
        now: when they were read.
        created: number of jobs created that day.
        unfinished: number of jobs queued or processing now.
        ended: number of jobs that ended that day, by final state.
        video_seconds: length of the videos made that day.
    """

    day_start: datetime
    now: datetime
    created: int
    unfinished: int
    ended: dict[JobStatus, int]
    video_seconds: float

    @property
    def day_end(self) -> datetime:
        """When the daily counts start again from zero."""
        return self.day_start + timedelta(days=1)


def active_key(key_id: str) -> str:
    """Return the key of an API key's unfinished jobs."""
    return f"amigo:key:{key_id}:active"


def made_key(key_id: str, now: datetime) -> str:
    """Return the key of the number of jobs that an API key created on the given day."""
    return f"amigo:key:{key_id}:made:{_day(now).date()}"


def ended_key(key_id: str, now: datetime) -> str:
    """Return the key of the counts of an API key's jobs that ended on the given day."""
    return f"amigo:key:{key_id}:ended:{_day(now).date()}"


def read_usage(client: Redis, key_id: str | None, now: datetime) -> Usage:
    """Return what an API key has used; None: what a system without API keys has used."""
    account = key_id or LOCAL_TENANT
    with client.pipeline() as pipe:
        pipe.scard(active_key(account))
        pipe.get(made_key(account, now))
        pipe.hgetall(ended_key(account, now))
        unfinished, made, ended = pipe.execute()
    return Usage(
        day_start=_day(now),
        now=now,
        created=int(made or 0),
        unfinished=unfinished,
        ended={status: int(ended.get(status, 0)) for status in JobStatus if status.is_final},
        video_seconds=float(ended.get(VIDEO_SECONDS, 0)),
    )


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
        raise QuotaExceeded(quota.jobs_a_day, _day(now) + timedelta(days=1) - now)


def count_made(pipe: Pipeline, job: Job, now: datetime) -> None:
    """Queue the commands that count a job as created today."""
    made = made_key(_account(job), now)
    pipe.incr(made)
    pipe.expire(made, COUNTS_KEPT)


def count_change(pipe: Pipeline, before: Job | None, after: Job, now: datetime) -> None:
    """Queue the commands that count a job as unfinished, or as ended today."""
    if after.status.is_final:
        pipe.srem(active_key(_account(after)), after.id)
        _count_ended(pipe, after, now)
    elif before is None:
        pipe.sadd(active_key(_account(after)), after.id)


def _count_ended(pipe: Pipeline, job: Job, now: datetime) -> None:
    ended = ended_key(_account(job), now)
    pipe.hincrby(ended, job.status, 1)
    if job.result is not None:
        pipe.hincrbyfloat(ended, VIDEO_SECONDS, job.result.duration)
    pipe.expire(ended, COUNTS_KEPT)


def forget(pipe: Pipeline, job: Job) -> None:
    """Queue the command that stops counting a deleted job as unfinished."""
    pipe.srem(active_key(_account(job)), job.id)


def _account(job: Job) -> str:
    return job.key_id or LOCAL_TENANT


def _day(now: datetime) -> datetime:
    return datetime.combine(now.astimezone(UTC).date(), time(), UTC)
