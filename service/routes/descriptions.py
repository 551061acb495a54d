"""The document of a job: its record, and what else the store knows about it."""

import math
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from jobs.documents import JobDocument
from jobs.errors import StoreUnavailable
from jobs.job import Job
from jobs.signatures import SignedUrls
from service.dependencies import AppComponents, Components
from service.reading.conditional import weak_entity_tag

LONGEST_POLL_PAUSE = 30
"""Longest suggested pause between two polls, in seconds."""


@dataclass(frozen=True)
class Descriptions:
    """Describes jobs to the sender of one request, whose URL of the service the documents use."""

    components: Components
    urls: SignedUrls

    def describe(self, job: Job) -> JobDocument:
        """Return the job's document.

        Raises:
            StoreUnavailable: the store does not respond.
        """
        ended, components = job.status.is_final, self.components
        return JobDocument.of(
            job,
            components.settings.retention,
            estimate=None if ended else components.store.estimate(job.id),
            delivery=components.webhooks.delivery(job.id) if ended and job.webhook_url else None,
            urls=self.urls,
        )

    def describe_accepted(self, job: Job) -> JobDocument:
        """Return the document of a new job; without its queue position if the store is unavailable.

        Once a job is accepted, the response must not be an error.
        """
        try:
            return self.describe(job)
        except StoreUnavailable:
            return self.describe_past(job)

    def describe_past(self, job: Job) -> JobDocument:
        """Return the document of a job's earlier state, without its queue position and without the
        store.
        """
        return JobDocument.of(job, self.components.settings.retention, urls=self.urls)


def poll_pause(document: JobDocument, least: int) -> int:
    """Return how many seconds to wait before the next poll: a quarter of the remaining time.

    Without an estimate, jobs further back in the queue wait longer. At most LONGEST_POLL_PAUSE.
    """
    seconds = document.eta_seconds or 0.0
    if document.eta_seconds is None:
        seconds = 4.0 * (document.queue_position or 2)
    return max(least, min(math.ceil(seconds / 4), LONGEST_POLL_PAUSE))


async def _descriptions(request: Request, components: AppComponents) -> Descriptions:
    base_url = str(request.base_url).rstrip("/")
    return Descriptions(components, SignedUrls.of(components.settings, base_url))


JobDescriptions = Annotated[Descriptions, Depends(_descriptions)]


def document_tag(document: JobDocument) -> str:
    """Return the entity tag of a document, excluding what changes with time alone."""
    exclude = {"eta", "eta_seconds", "video_url", "poster_url"}
    return weak_entity_tag(document.model_dump_json(exclude=exclude).encode())
