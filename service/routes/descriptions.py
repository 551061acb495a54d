"""The document of a job: its record, and what else the store knows about it."""

from jobs.errors import StoreUnavailable
from jobs.job import Job
from service.dependencies import Components
from service.documents.schemas import JobDocument
from service.reading.conditional import weak_entity_tag


def describe(job: Job, components: Components) -> JobDocument:
    """Return the job's document.

    Raises:
        StoreUnavailable: the store does not respond.
    """
    ended = job.status.is_final
    return JobDocument.of(
        job,
        components.settings.retention,
        estimate=None if ended else components.store.estimate(job.id),
        delivery=components.webhooks.delivery(job.id) if ended and job.webhook_url else None,
    )


def describe_accepted(job: Job, components: Components) -> JobDocument:
    """Return the document of a new job; without its queue position if the store is unavailable.

    Once a job is accepted, the response must not be an error.
    """
    try:
        return describe(job, components)
    except StoreUnavailable:
        return describe_past(job, components)


def describe_past(job: Job, components: Components) -> JobDocument:
    """Return the document of a job's earlier state, without its queue position and without the
    store.
    """
    return JobDocument.of(job, components.settings.retention)


def document_tag(document: JobDocument) -> str:
    """Return the entity tag of a document, excluding the ETA, which changes with time alone."""
    return weak_entity_tag(document.model_dump_json(exclude={"eta", "eta_seconds"}).encode())
