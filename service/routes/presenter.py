"""The document of a job: its record, and what else the store knows about it."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from jobs.documents import JobDocument
from jobs.errors import StoreUnavailable
from jobs.job import Job
from jobs.valkey.readings import Reading
from service.caller import service_url
from service.dependencies import Components

LONGEST_POLL_PAUSE = 30
"""Longest suggested pause between two polls, in seconds."""


@dataclass(frozen=True)
class JobPresenter:
    """Describes jobs to the sender of one request, whose URL of the service the documents use."""

    components: Components
    base_url: str

    def describe(self, job: Job) -> JobDocument:
        """Return the job's document.

        Raises:
            StoreUnavailable: the store does not respond.
        """
        if job.status.is_final and not job.webhook_url:
            return self.describe_past(job)
        for reading in self.components.store.readings([job.id]):
            return self._document(job, reading)
        return self.describe_past(job)

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
        return self._document(job, None)

    def serialize(self, reading: Reading) -> bytes:
        """Return the job's document as JSON."""
        return self.components.serialized.body(reading, self.base_url)

    def serialize_all(self, readings: Iterable[Reading]) -> bytes:
        """Return the documents of jobs as a JSON array."""
        return b"[%b]" % b",".join(map(self.serialize, readings))

    def _document(self, job: Job, reading: Reading | None) -> JobDocument:
        components = self.components
        return JobDocument.of(
            job,
            components.settings.retention,
            estimate=reading.estimate if reading else None,
            delivery=reading.delivery if reading else None,
            urls=components.serialized.urls(self.base_url),
        )


def poll_pause(position: int | None, eta_seconds: float | None, least: int) -> int:
    """Return how many seconds to wait before the next poll: a quarter of the remaining time.

    Without an estimate, jobs further back in the queue wait longer. At most LONGEST_POLL_PAUSE.
    """
    seconds = 4.0 * (position or 2) if eta_seconds is None else eta_seconds
    return max(least, min(math.ceil(seconds / 4), LONGEST_POLL_PAUSE))


def presenter_for(request: Request) -> JobPresenter:
    """Return what describes jobs to the sender of a request."""
    return JobPresenter(request.app.state.components, str(service_url(request)).rstrip("/"))


async def _presenter(request: Request) -> JobPresenter:
    return presenter_for(request)


JobPresenterDep = Annotated[JobPresenter, Depends(_presenter)]
