"""The video while it is rendered: HLS with fragmented MP4 segments (RFC 8216)."""

import asyncio
import time
from pathlib import PurePath
from typing import Annotated
from urllib.parse import quote

from anyio import to_thread
from fastapi import APIRouter, Path, Query, Request, Response
from starlette.responses import RedirectResponse, StreamingResponse

from jobs.documents import job_path
from jobs.errors import ObjectNotFound
from jobs.job import Job, JobStatus
from jobs.s3.paths import stream_prefix
from jobs.spelling import Spelling
from jobs.valkey.api_keys import Scope
from media.hls import MASTER, MEDIA, PLAYLIST_TYPE, SEGMENT_TYPE, ended, with_query
from service.auth import CallerDep, JobId, OwnJob, own_job, require_scope
from service.dependencies import AppComponents, Components
from service.documents.openapi import problem_responses, response_headers
from service.problems import Problem, ProblemType
from service.reading.files import FileRequestDep, StoredFile, answer_file
from service.reading.preferences import MAX_WAIT
from service.routes.results import file_responses, require_result

router = APIRouter(
    prefix="/v1/jobs/{job_id}/stream", tags=["jobs"], dependencies=[require_scope(Scope.JOBS_READ)]
)

LOOK_SECONDS = 0.3
"""Seconds between two looks for the start of a stream."""

_NOT_YET = "The first second of the video is not encoded yet."
_NONE = "The video has no stream; signed videos never have one. Download the video instead."


@router.get(
    "",
    summary="Watch the video while it is being rendered",
    status_code=307,
    response_class=RedirectResponse,
    responses={
        307: {
            "description": "The playlist of the current attempt.",
            **response_headers(Location="The path of a multivariant playlist (HLS)."),
        },
        **problem_responses(
            ProblemType.JOB_NOT_FOUND,
            ProblemType.RESULT_NOT_FOUND,
            ProblemType.VIDEO_NOT_READY,
            ProblemType.JOB_FAILED,
            ProblemType.JOB_CANCELED,
            ProblemType.INVALID_REQUEST,
            ProblemType.STORE_UNAVAILABLE,
            ProblemType.STORAGE_UNAVAILABLE,
        ),
    },
)
async def watch_job(
    request: Request,
    job_id: JobId,
    caller: CallerDep,
    components: AppComponents,
    wait: Annotated[
        int,
        Query(
            ge=0,
            le=MAX_WAIT,
            description="Maximum number of seconds to wait for the stream to start.",
        ),
    ] = 0,
) -> RedirectResponse:
    """Redirect to the playlist of the current attempt, or of the one that succeeded.

    Each attempt has its own stream. If an attempt is lost, its stream ends; request this path again
    for the next one.
    """

    query = _token_query(request)

    def look() -> RedirectResponse:
        return _playlist_of(own_job(job_id, caller, components), components, query)

    end = time.monotonic() + wait
    while True:
        try:
            return await to_thread.run_sync(look)
        except Problem as problem:
            if problem.type is not ProblemType.VIDEO_NOT_READY or time.monotonic() >= end:
                raise
        await asyncio.sleep(LOOK_SECONDS)


def _playlist_of(job: Job, components: Components, query: str) -> RedirectResponse:
    if job.status not in (JobStatus.PROCESSING, JobStatus.SUCCEEDED):
        require_result(job)
    _require_started(job, components)
    path = f"{job_path(job.id)}/stream/{job.attempt}/{MASTER}{query and f'?{query}'}"
    return RedirectResponse(path, 307, {"Cache-Control": "no-store"})


@router.get(
    "/{attempt}/{file}",
    summary="Get a playlist or a segment of the stream",
    response_class=StreamingResponse,
    responses=file_responses(PLAYLIST_TYPE, SEGMENT_TYPE),
)
def read_stream_file(
    request: Request,
    job: OwnJob,
    attempt: Annotated[int, Path(ge=1, description="The number of the attempt.")],
    file: Annotated[
        str,
        Spelling(
            r"^(index\.m3u8|media\.m3u8|init\.mp4|[0-9]{5}\.m4s)$",
            "index.m3u8 or the name of a file in a playlist",
        ),
        Path(description="`index.m3u8`, or the name of a file in a playlist."),
    ],
    wanted: FileRequestDep,
    components: AppComponents,
) -> Response:
    """Return a file of one attempt's stream.

    `media.m3u8` grows by about a second at a time and ends with the attempt, whether it succeeds or
    not. `index.m3u8` states the peak bit rate so far. The segments never change.
    """
    if job.status in (JobStatus.FAILED, JobStatus.CANCELED):
        require_result(job)
    key = stream_prefix(job.id, attempt) + file
    query = _token_query(request)
    try:
        if file in (MASTER, MEDIA):
            playlist = components.storage.get(key).decode()
            is_ended = file == MEDIA and not _is_rendering(job, attempt)
            return _answer_playlist(ended(playlist) if is_ended else playlist, query)
        name = PurePath(file)
        stored = StoredFile(components.storage, key, name.suffix, SEGMENT_TYPE)
        return answer_file(f"{job.id}-{attempt}-{name.stem}", stored, wanted)
    except ObjectNotFound as error:
        raise Problem(
            ProblemType.RESULT_NOT_FOUND, f"The stream of attempt {attempt} has no file {file}."
        ) from error


def _token_query(request: Request) -> str:
    """Return the part of the URL that gives access, if any: players must find it in playlists."""
    token = request.query_params.get("token")
    return f"token={quote(token)}" if token else ""


def _answer_playlist(playlist: str, query: str) -> Response:
    text = with_query(playlist, query) if query else playlist
    return Response(text, headers={"Cache-Control": "no-store"}, media_type=PLAYLIST_TYPE)


def _is_rendering(job: Job, attempt: int) -> bool:
    return job.status is JobStatus.PROCESSING and job.attempt == attempt


def _require_started(job: Job, components: Components) -> None:
    """Check that a player finds something.

    Raises:
        Problem: the first segment is not stored yet, or the job succeeded without a stream.
    """
    try:
        components.storage.size(stream_prefix(job.id, job.attempt) + MASTER)
    except ObjectNotFound:
        if job.status is JobStatus.SUCCEEDED:
            raise Problem(ProblemType.RESULT_NOT_FOUND, _NONE) from None
        wait = {"Retry-After": str(components.settings.poll_seconds)}
        raise Problem(ProblemType.VIDEO_NOT_READY, _NOT_YET, headers=wait) from None
