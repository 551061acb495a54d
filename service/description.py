"""What a caller is told of a job: its record, and what the store knows about it besides."""

from jobs.errors import StoreUnavailable
from jobs.job import Job, JobStatus
from jobs.store import JobStore
from service.schemas import JobDocument


def describe(job: Job, store: JobStore) -> JobDocument:
    """Return the job's document.

    Raises:
        StoreUnavailable: the store does not answer.
    """
    position = store.queue_position(job.id) if job.status is JobStatus.QUEUED else None
    return JobDocument.of(job, position)


def describe_accepted(job: Job, store: JobStore) -> JobDocument:
    """Return the document of a job just made, without its position when the store is down.

    Once a job is accepted, nothing may turn the answer into a refusal.
    """
    try:
        return describe(job, store)
    except StoreUnavailable:
        return JobDocument.of(job, None)
