"""Server-sent events: one after each change of a job."""

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from time import monotonic
from typing import Annotated

from fastapi import APIRouter, Header, Request, Response, status
from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event
from starlette.responses import StreamingResponse

from jobs.documents import JobDocument
from jobs.errors import JobNotFound, KeyInvalid, StoreUnavailable
from jobs.job import Job
from jobs.valkey.api_keys import Scope
from jobs.valkey.job_store import Event
from service.auth import CallerDep, OwnJob, require_scope
from service.dependencies import AppComponents, Components
from service.documents.openapi import Responses, problem_responses, response_headers
from service.negotiation import is_head
from service.problems import ProblemType
from service.reading.watching import REREAD_SECONDS
from service.routes.presenter import JobPresenter, JobPresenterDep

router = APIRouter(tags=["jobs"], dependencies=[require_scope(Scope.JOBS_READ)])

HEARTBEAT_SECONDS = 15.0
"""Seconds of inactivity after which a comment keeps the connection alive."""

KEY_SECONDS = 5.0
"""Seconds between checks whether a follower's API key has been revoked."""

LONGEST_SECONDS = 600.0
"""Seconds after which a follower has to reconnect and authenticate again."""

AFTER_ALL = "ended"
"""Id of the final event of a job whose events have expired."""

_EVENT_ID = re.compile(r"[0-9]{1,19}-[0-9]{1,19}|" + AFTER_ALL)

_MEDIA_TYPE = "text/event-stream"
_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}

_RESPONSES: Responses = {
    200: {
        "description": (
            "Events of type `job`: `id` identifies the change, and is absent if only the queue "
            "position changed; `data` is the job's document as JSON. The last event is final."
        ),
        "content": {"text/event-stream": {}},  # OpenAPI 3.1 has no schema for events
        **response_headers(X_Accel_Buffering="Always `no`: proxies must not delay events."),
    },
    204: {"description": "The job has ended, and `Last-Event-ID` refers to its final state."},
    **problem_responses(ProblemType.JOB_NOT_FOUND, ProblemType.STORE_UNAVAILABLE),
}


@router.get(
    "/v1/jobs/{job_id}/events",
    summary="Follow a job",
    response_class=StreamingResponse,
    responses=_RESPONSES,
)
async def follow_job(
    request: Request,
    job: OwnJob,
    caller: CallerDep,
    components: AppComponents,
    presenter: JobPresenterDep,
    last_event_id: Annotated[
        str | None, Header(description="The last `id` received; only later events are sent.")
    ] = None,
) -> Response:
    """Send the job's current state, then the job after every change, until it has ended.

    Events with an `id` report a change; events without one report a new queue position.
    """
    if is_head(request.scope):
        return Response(headers=_HEADERS, media_type=_MEDIA_TYPE)
    known = last_event_id if last_event_id and _EVENT_ID.fullmatch(last_event_id) else None
    follower = _Follower(components, presenter, job.id, caller.key_id, known)
    frames = await components.watcher.read(follower.new_frames)
    if follower.has_seen_the_end and not frames:
        return Response(status_code=status.HTTP_204_NO_CONTENT)
    return StreamingResponse(
        _stream(follower, frames),
        headers=_HEADERS,
        media_type=_MEDIA_TYPE,
    )


@dataclass
class _Follower:
    """One caller's position in a job's events.

    Attributes:
        key_id: id of the caller's API key; None if the system requires none.
        known: id of the last event sent; None before the first.
        position: the last queue position sent; None before any.
        has_seen_the_end: whether the final event was sent.
    """

    components: Components
    presenter: JobPresenter
    job_id: str
    key_id: str | None
    known: str | None
    position: int | None = field(default=None, init=False)
    has_seen_the_end: bool = field(default=False, init=False)
    _key_seen_at: float = field(default_factory=monotonic, init=False)

    def new_frames(self) -> list[bytes]:
        """Return the events to send now; queries the store and blocks.

        Raises:
            JobNotFound: the job was deleted.
            KeyInvalid: the caller's API key has expired meanwhile or was revoked.
        """
        self._check_key()
        # Read the record first: an event between the two reads is then sent, not skipped.
        job = self.components.store.get(self.job_id)
        events = self._events()
        if events:
            return self._change_frames(events)
        return self._end_frames(job) if job.status.is_final else self._position_frames(job)

    def _check_key(self) -> None:
        if self.key_id is not None and monotonic() >= self._key_seen_at + KEY_SECONDS:
            self.components.keys.require_valid(self.key_id)
            self._key_seen_at = monotonic()

    def _events(self) -> list[Event]:
        store = self.components.store
        if self.known == AFTER_ALL:
            return []
        if self.known is not None:
            return store.events(self.job_id, after=self.known)
        latest = store.latest_event(self.job_id)
        return [latest] if latest else []

    def _change_frames(self, events: list[Event]) -> list[bytes]:
        *past, latest = events
        self.known, self.has_seen_the_end = latest.id, latest.job.status.is_final
        return [
            *(_frame(self.presenter.describe_past(event.job), event.id) for event in past),
            self._latest_frame(latest.job, latest.id),
        ]

    def _end_frames(self, job: Job) -> list[bytes]:
        """Return the final event for a follower that missed it because the events have expired."""
        self.has_seen_the_end = True
        if self.known == AFTER_ALL or self.components.store.latest_event(job.id):
            return []
        return [self._latest_frame(job, AFTER_ALL)]

    def _position_frames(self, job: Job) -> list[bytes]:
        """Return the job again if its queue position has changed since it was last sent."""
        document = self.presenter.describe(job)
        # Without a position, it has just been claimed, which is reported by an event.
        if document.queue_position in (None, self.position):
            return []
        self.position = document.queue_position
        return [_frame(document, None)]

    def _latest_frame(self, job: Job, event_id: str) -> bytes:
        document = self.presenter.describe(job)
        self.position = document.queue_position
        return _frame(document, event_id)


def _frame(document: JobDocument, event_id: str | None) -> bytes:
    return format_sse_event(data_str=document.model_dump_json(), event="job", id=event_id)


async def _stream(follower: _Follower, frames: list[bytes]) -> AsyncIterator[bytes]:
    """Yield frames, then later ones as they occur, with heartbeats in between."""
    watcher = follower.components.watcher
    clock = asyncio.get_running_loop().time
    began = spoke = clock()
    with watcher.following(follower.job_id) as changes:
        # Check for changes since the frames were created.
        changes.announce()
        while True:
            for frame in frames or _heartbeat(clock() - spoke):
                yield frame
                spoke = clock()
            if follower.has_seen_the_end or watcher.is_stopping or spoke > began + LONGEST_SECONDS:
                return
            await changes.wait(REREAD_SECONDS)
            try:
                frames = await watcher.read(follower.new_frames)
            except (JobNotFound, KeyInvalid):
                return
            except StoreUnavailable:
                # The watcher logs the outage once; the follower keeps waiting.
                frames = []


def _heartbeat(idle_seconds: float) -> list[bytes]:
    return [KEEPALIVE_COMMENT] if idle_seconds >= HEARTBEAT_SECONDS else []
