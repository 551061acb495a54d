"""Repeated requests with an Idempotency-Key: they return the job created before."""

import asyncio

from anyio import to_thread

from jobs.errors import JobNotFound
from jobs.job import Job
from jobs.valkey.idempotency import Holder
from jobs.valkey.job_store import JobStore
from service.problems import Problem, ProblemType

PATIENCE = 10.0
"""Seconds a request waits for an earlier one with the same key to complete."""

POLL_SECONDS = 0.2
"""Seconds between checks of the key while waiting."""


async def find_earlier(store: JobStore, job: Job, retry_seconds: int) -> Job | None:
    """Return the job that an earlier request with this key created; None if the key is now
    reserved.

    Raises:
        Problem: the key was used for a different request, its job was deleted, or the earlier
            request takes too long.
        StoreUnavailable: the store does not respond.
    """
    clock = asyncio.get_running_loop().time
    deadline = clock() + PATIENCE
    while holder := await to_thread.run_sync(store.reserve, job):
        _require_same_request(holder, job)
        if holder.is_confirmed:
            return await to_thread.run_sync(_made_before, store, holder)
        if clock() > deadline:
            raise in_progress(retry_seconds)
        await asyncio.sleep(POLL_SECONDS)
    return None


def in_progress(retry_seconds: int) -> Problem:
    """Return the problem for a request whose predecessor with the same key is in progress."""
    return Problem(
        ProblemType.IDEMPOTENCY_IN_PROGRESS,
        "An earlier request with this Idempotency-Key is still in progress. Retry this "
        "request later.",
        headers={"Retry-After": str(retry_seconds)},
    )


def _require_same_request(holder: Holder, job: Job) -> None:
    if job.idempotency and holder.fingerprint != job.idempotency.fingerprint:
        raise Problem(
            ProblemType.IDEMPOTENCY_CONFLICT,
            "The Idempotency-Key was used for a request with different files or options; use "
            "a new key for each distinct request.",
        )


def _made_before(store: JobStore, holder: Holder) -> Job:
    try:
        return store.get(holder.job_id)
    except JobNotFound as error:
        raise Problem(
            ProblemType.JOB_NOT_FOUND,
            "The job created with this Idempotency-Key was deleted; use a new key to create "
            "another job.",
        ) from error
