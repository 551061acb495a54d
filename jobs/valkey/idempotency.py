"""Requests sent again: which job a caller's Idempotency-Key leads to.

    amigo:idempotency:{tenant}:{digest}   who holds the key, as JSON; the digest is its SHA-256

A request reserves its key for the job that it is about to make. The transaction that accepts the
job confirms the key for a day; a request that is refused releases it. A reservation that runs out,
because its request takes too long or its process died, is another's to take: then the job of the
first is not accepted any more. So no key ever leads to two jobs.
"""

import hashlib
from datetime import timedelta
from typing import cast

from redis import Redis
from redis.client import Pipeline

from jobs.errors import IdempotencyKeyTaken
from jobs.job import Job, Value
from jobs.valkey.connection import transact, translated_errors

RESERVED = timedelta(seconds=60)
"""How long a request may take from its reservation to its job before another may take over."""

KEPT = timedelta(hours=24)
"""How long a key leads to its job."""


class Holder(Value):
    """The job that holds a key, accepted or about to be."""

    job_id: str
    fingerprint: str
    is_confirmed: bool


def holder_key(tenant: str, key: str) -> str:
    """Return the key under which the holder of a caller's key is kept."""
    return f"amigo:idempotency:{tenant}:{hashlib.sha256(key.encode()).hexdigest()}"


def reserve(client: Redis, job: Job) -> Holder | None:
    """Reserve a job's key; return who holds it already, None when that is the job itself."""
    place, mine = _claim(job, is_confirmed=False)
    with translated_errors():
        answer = client.set(place, mine.model_dump_json(), nx=True, get=True, px=RESERVED)
    holder = _holder(answer)
    return None if holder is None or holder.job_id == job.id else holder


def release(client: Redis, job: Job) -> None:
    """Give up a job's key, if the job holds it: nothing came of the job."""
    place, mine = _claim(job, is_confirmed=False)

    def give_up(pipe: Pipeline) -> None:
        holder = _holder(pipe.get(place))
        pipe.multi()
        if holder and holder.job_id == mine.job_id:
            pipe.delete(place)

    transact(client, give_up, place)


def watched(job: Job) -> list[str]:
    """Return the keys that a transaction which confirms the job's key has to watch."""
    return [holder_key(job.tenant, job.idempotency.key)] if job.idempotency else []


def require_held(pipe: Pipeline, job: Job) -> None:
    """Return when nobody else holds the job's key; a job without a key is fine.

    Raises:
        IdempotencyKeyTaken: another does.
    """
    for place in watched(job):
        holder = _holder(pipe.get(place))
        if holder and holder.job_id != job.id:
            raise IdempotencyKeyTaken(f"Job {holder.job_id} holds the key of job {job.id}.")


def confirm(pipe: Pipeline, job: Job) -> None:
    """Queue the command that lets the job's key, if it has one, lead to it for a day."""
    if job.idempotency:
        place, mine = _claim(job, is_confirmed=True)
        pipe.set(place, mine.model_dump_json(), px=KEPT)


def _claim(job: Job, *, is_confirmed: bool) -> tuple[str, Holder]:
    if job.idempotency is None:
        raise ValueError(f"Job {job.id} has no key.")
    mine = Holder(job_id=job.id, fingerprint=job.idempotency.fingerprint, is_confirmed=is_confirmed)
    return holder_key(job.tenant, job.idempotency.key), mine


def _holder(record: object) -> Holder | None:
    return None if record is None else Holder.model_validate_json(cast("str", record))
