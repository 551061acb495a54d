"""The finished video, streamed from the object store, whole or in ranges."""

from collections.abc import Iterator
from typing import Annotated

from fastapi import APIRouter, Header, Request, Response
from starlette.responses import StreamingResponse

from jobs.job import Job, JobStatus
from jobs.storage import ObjectStorage
from service.components import AppComponents
from service.conditional import (
    ByteRange,
    RangeNotSatisfiable,
    entity_tag,
    is_unchanged,
    requested_range,
)
from service.openapi import Responses, problem_responses, response_headers
from service.problems import Problem, ProblemType
from service.routes.jobs import JobId

router = APIRouter(tags=["jobs"])

MEDIA_TYPE = "video/mp4"

# A browser shows a video that is opened by itself in a page that it makes around it.
_POLICY = "default-src 'none'; media-src 'self'; style-src 'unsafe-inline'; frame-ancestors 'none'"

_VIDEO = {"content": {MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}}}
_RESPONSES: Responses = {
    200: {
        "description": "The whole video.",
        **_VIDEO,
        **response_headers(ETag="Names the video.", Accept_Ranges="Always `bytes`."),
    },
    206: {
        "description": "The range that was asked for.",
        **_VIDEO,
        **response_headers(ETag="Names the video.", Content_Range="The range within the video."),
    },
    304: {"description": "The video is as `If-None-Match` knows it."},
    **problem_responses(
        ProblemType.JOB_NOT_FOUND,
        ProblemType.VIDEO_NOT_FOUND,
        ProblemType.VIDEO_NOT_READY,
        ProblemType.JOB_FAILED,
        ProblemType.JOB_CANCELED,
        ProblemType.RANGE_NOT_SATISFIABLE,
        ProblemType.STORE_UNAVAILABLE,
        ProblemType.STORAGE_UNAVAILABLE,
    ),
}


@router.head("/v1/jobs/{job_id}/video", include_in_schema=False)
@router.get(
    "/v1/jobs/{job_id}/video",
    summary="Get the finished video",
    response_class=StreamingResponse,
    responses=_RESPONSES,
)
def read_video(
    request: Request,
    job_id: JobId,
    components: AppComponents,
    range: Annotated[str | None, Header(description="One range of bytes.")] = None,
    if_range: Annotated[str | None, Header(description="The `ETag` the range is of.")] = None,
    if_none_match: Annotated[str | None, Header(description="The `ETag` known.")] = None,
) -> Response:
    """Stream the MP4; several ranges at once are answered with the whole video."""
    key = _video_key(components.store.get(job_id))
    size = components.storage.size(key)
    headers = {
        # The key names the attempt, and what lies under it never changes.
        "ETag": entity_tag(key.encode()),
        "Cache-Control": "private, no-cache",
        "Accept-Ranges": "bytes",
        "Content-Disposition": f'inline; filename="{job_id}.mp4"',
        "Content-Security-Policy": _POLICY,
    }
    if is_unchanged(if_none_match, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    if request.method == "HEAD":
        headers["Content-Length"] = str(size)
        return Response(headers=headers, media_type=MEDIA_TYPE)
    try:
        part = requested_range(range, if_range, headers["ETag"], size)
    except RangeNotSatisfiable as error:
        raise _not_satisfiable(error, size) from error
    return _stream(components.storage, key, part, size, headers)


def _stream(
    storage: ObjectStorage, key: str, part: ByteRange | None, size: int, headers: dict[str, str]
) -> Response:
    whole = ByteRange(0, size - 1)
    sent = part or whole
    chunks: Iterator[bytes] = storage.stream(key, sent.start, sent.end)
    headers["Content-Length"] = str(len(sent))
    if part is not None:
        headers["Content-Range"] = f"bytes {part.start}-{part.end}/{size}"
    return StreamingResponse(chunks, 206 if part else 200, headers, MEDIA_TYPE)


def _video_key(job: Job) -> str:
    """Return the key of the job's video.

    Raises:
        Problem: there is no video, or not yet.
    """
    if job.result is not None:
        return job.result.video_key
    if job.status is JobStatus.FAILED:
        raise _no_video(ProblemType.JOB_FAILED, job.failure.message if job.failure else "")
    if job.status is JobStatus.CANCELED:
        raise _no_video(ProblemType.JOB_CANCELED, "The job was canceled.")
    raise _no_video(ProblemType.VIDEO_NOT_READY, f"The job is {job.status}.")


def _no_video(problem_type: ProblemType, reason: str) -> Problem:
    return Problem(problem_type, f"{reason} Only a job that succeeded has a video.")


def _not_satisfiable(error: RangeNotSatisfiable, size: int) -> Problem:
    return Problem(
        ProblemType.RANGE_NOT_SATISFIABLE,
        f"The video has {size} bytes; {error} were asked for.",
        headers={"Content-Range": f"bytes */{size}"},
    )
