"""Idempotent requests: the job that belongs to a caller's Idempotency-Key.

    amigo:idempotency:{tenant}:{digest}   owner of the key, as JSON; the digest is the key's SHA-256

A request reserves its Idempotency-Key for the job that it is about to create. The transaction that
accepts the job confirms the key for a day; a rejected request releases it. If a reservation
expires, because its request takes too long or its process died, another request can take it over.
The job of the first request is then not accepted any more. So a key never leads to two jobs.
"""

import hashlib
from datetime import timedelta
from typing import cast

from redis import Redis
from redis.client import Pipeline

from jobs.errors import IdempotencyKeyTaken
from jobs.job import Job
from jobs.valkey.connection import transact, translated_errors
from jobs.values import Value

RESERVED = timedelta(seconds=60)
"""How long a request owns its reservation before another request may take over."""

KEPT = timedelta(hours=24)
"""How long a key leads to its job."""


class Holder(Value):
    """The job that owns a key, accepted or about to be."""

    job_id: str
    fingerprint: str
    is_confirmed: bool


def holder_key(tenant: str, key: str) -> str:
    """Return the key in Valkey for the owner of a caller's Idempotency-Key."""
    return f"amigo:idempotency:{tenant}:{hashlib.sha256(key.encode()).hexdigest()}"


def reserve(client: Redis, job: Job) -> Holder | None:
    """Reserve a job's Idempotency-Key; return another job that owns it, or None."""
    place, mine = _claim(job, is_confirmed=False)
    with translated_errors():
        response = client.set(place, mine.model_dump_json(), nx=True, get=True, px=RESERVED)
    holder = _holder(response)
    return None if holder is None or holder.job_id == job.id else holder


def release(client: Redis, job: Job) -> None:
    """Release a job's Idempotency-Key if the job owns it and was not accepted."""
    place, mine = _claim(job, is_confirmed=False)

    def give_up(pipe: Pipeline) -> None:
        holder = _holder(pipe.get(place))
        pipe.multi()
        if holder and holder.job_id == mine.job_id:
            pipe.delete(place)

    transact(client, give_up, place)


def watched(job: Job) -> list[str]:
    """Return the Valkey keys to watch in a transaction that confirms the Idempotency-Key."""
    return [holder_key(job.tenant, job.idempotency.key)] if job.idempotency else []


def require_held(pipe: Pipeline, job: Job) -> None:
    """Check that no other job owns the job's Idempotency-Key; a job without one always passes.

    Raises:
        IdempotencyKeyTaken: another job owns the key.
    """
    for place in watched(job):
        holder = _holder(pipe.get(place))
        if holder and holder.job_id != job.id:
            raise IdempotencyKeyTaken(
                f"The Idempotency-Key of job {job.id} belongs to job {holder.job_id}."
            )


def confirm(pipe: Pipeline, job: Job) -> None:
    """Queue the command that makes the Idempotency-Key, if any, lead to the job for a day."""
    if job.idempotency:
        place, mine = _claim(job, is_confirmed=True)
        pipe.set(place, mine.model_dump_json(), px=KEPT)


def _claim(job: Job, *, is_confirmed: bool) -> tuple[str, Holder]:
    if job.idempotency is None:
        raise ValueError(f"Job {job.id} has no Idempotency-Key.")
    mine = Holder(job_id=job.id, fingerprint=job.idempotency.fingerprint, is_confirmed=is_confirmed)
    return holder_key(job.tenant, job.idempotency.key), mine


def _holder(record: object) -> Holder | None:
    return None if record is None else Holder.read(cast("str", record))
