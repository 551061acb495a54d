"""Repeated requests with an Idempotency-Key: they return the job created before."""

from jobs.errors import JobNotFound
from jobs.job import Job
from jobs.valkey.idempotency import Holder
from jobs.valkey.job_store import JobStore
from service.problems import Problem, ProblemType


class KeyInProgress(Exception):
    """An earlier request with the same key is still being processed."""


def find_earlier(store: JobStore, job: Job) -> Job | None:
    """Return the job that an earlier request with this job's key created; None if there is none.

    In the latter case the key, if any, is now reserved for `job`.

    Raises:
        KeyInProgress: the earlier request has not completed yet.
        Problem: the key was used for a different request, or its job was deleted.
        StoreUnavailable: the store does not respond.
    """
    holder = store.reserve(job) if job.idempotency else None
    if holder is None:
        return None
    _require_same_request(holder, job)
    if not holder.is_confirmed:
        raise KeyInProgress
    return _earlier_job(store, holder)


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


def _earlier_job(store: JobStore, holder: Holder) -> Job:
    try:
        return store.get(holder.job_id)
    except JobNotFound as error:
        raise Problem(
            ProblemType.JOB_NOT_FOUND,
            "The job created with this Idempotency-Key was deleted; use a new key to create "
            "another job.",
        ) from error
