"""What a caller is told of a job: its record, and what the store knows about it besides."""

from jobs.errors import StoreUnavailable
from jobs.job import Job
from service.dependencies import Components
from service.documents.schemas import JobDocument
from service.reading.conditional import weak_entity_tag


def describe(job: Job, components: Components) -> JobDocument:
    """Return the job's document.

    Raises:
        StoreUnavailable: the store does not answer.
    """
    ended = job.status.is_final
    return JobDocument.of(
        job,
        components.settings.retention,
        outlook=None if ended else components.store.outlook(job.id),
        delivery=components.webhooks.delivery(job.id) if ended and job.webhook_url else None,
    )


def describe_accepted(job: Job, components: Components) -> JobDocument:
    """Return the document of a job just made, without its position when the store is down.

    Once a job is accepted, nothing may turn the answer into a refusal.
    """
    try:
        return describe(job, components)
    except StoreUnavailable:
        return describe_past(job, components)


def describe_past(job: Job, components: Components) -> JobDocument:
    """Return the document of a job as it once was, which needs no store: without its position."""
    return JobDocument.of(job, components.settings.retention)


def document_tag(document: JobDocument) -> str:
    """Return the entity tag of a document; the ETA, which time alone moves, is left out of it."""
    return weak_entity_tag(document.model_dump_json(exclude={"eta", "eta_seconds"}).encode())
