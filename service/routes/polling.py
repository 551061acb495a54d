"""Get a job: most requests are polls, so a plain one takes a short way through the service."""

from typing import Annotated

from fastapi import APIRouter, Header, Query, Request, Response, status
from fastapi.routing import APIRoute
from starlette.types import Receive, Scope, Send

from jobs.documents import JobDocument
from jobs.valkey import api_keys
from jobs.valkey.readings import Reading
from service.auth import (
    JobId,
    admit_plain,
    caller_of,
    check_scope,
    checked_id,
    require_own,
    require_scope,
)
from service.caller import Caller
from service.dependencies import Components
from service.documents.openapi import problem_responses, response_headers
from service.problems import ProblemType
from service.reading.conditional import is_unchanged
from service.reading.preferences import MAX_WAIT
from service.reading.serialized import job_tag
from service.routes.presenter import poll_pause, presenter_for


class PollRoute(APIRoute):
    """A route that answers a request without a query by itself, without the framework's
    dependencies.

    These, and the stacks that would close them, cost more than the rest of a poll. A request with a
    query takes the usual way.
    """

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond to a request."""
        if scope["query_string"] or scope["method"] != "GET":
            await super().handle(scope, receive, send)
            return
        response = await _answer_plain(Request(scope, receive))
        await response(scope, receive, send)


router = APIRouter(tags=["jobs"], route_class=PollRoute)


@router.get(
    "/v1/jobs/{job_id}",
    summary="Get a job",
    response_description="The current state of the job.",
    dependencies=[require_scope(api_keys.Scope.JOBS_READ)],
    response_model=JobDocument,
    responses={
        200: response_headers(
            ETag=(
                "Identifies this version of the document. It does not change if only the ETA does."
            ),
            Retry_After="Seconds to wait before polling again; absent once the job has ended.",
        ),
        304: {"description": "The job has not changed since the version in `If-None-Match`."},
        **problem_responses(
            ProblemType.JOB_NOT_FOUND, ProblemType.INVALID_REQUEST, ProblemType.STORE_UNAVAILABLE
        ),
    },
)
async def read_job(
    request: Request,
    job_id: JobId,
    wait: Annotated[
        int, Query(ge=0, le=MAX_WAIT, description="Maximum number of seconds to wait for a change.")
    ] = 0,
    if_none_match: Annotated[
        str | None,
        Header(description="`ETag` of the version you have; only a newer one is returned."),
    ] = None,
) -> Response:
    """Return the job's state and results, now or as soon as they change."""
    return await _answer(request, job_id, if_none_match, wait)


async def _answer_plain(request: Request) -> Response:
    await admit_plain(request)
    check_scope(caller_of(request), api_keys.Scope.JOBS_READ)
    job_id = checked_id(request.path_params["job_id"])
    return await _answer(request, job_id, request.headers.get("If-None-Match"))


async def _answer(
    request: Request, job_id: str, if_none_match: str | None, wait: int = 0
) -> Response:
    components: Components = request.app.state.components
    reading = await _read(components, caller_of(request), job_id, if_none_match, wait)
    headers = {"ETag": job_tag(reading), "Cache-Control": "private, no-cache"}
    if not reading.job.status.is_final:
        _, seconds = reading.estimate.remaining(reading.job)
        least = components.settings.poll_seconds
        headers["Retry-After"] = str(poll_pause(reading.estimate.position, seconds, least))
    if is_unchanged(if_none_match, headers["ETag"]):
        return Response(status_code=status.HTTP_304_NOT_MODIFIED, headers=headers)
    return Response(
        presenter_for(request).serialize(reading), headers=headers, media_type="application/json"
    )


async def _read(
    components: Components, caller: Caller, job_id: str, if_none_match: str | None, wait: int
) -> Reading:
    """Return the job, at once or after a change.

    Raises:
        JobNotFound: there is none, or it belongs to another tenant.
        StoreUnavailable: the store does not respond.
    """
    known = if_none_match

    async def look() -> Reading:
        reading = await components.readings.read(job_id)
        require_own(reading.job, caller)
        return reading

    def is_due(reading: Reading) -> bool:
        nonlocal known
        # Without a tag, changes are relative to the first read.
        known = known or job_tag(reading)
        return reading.job.status.is_final or not is_unchanged(known, job_tag(reading))

    return await (components.watcher.read_until(job_id, look, is_due, wait) if wait else look())
