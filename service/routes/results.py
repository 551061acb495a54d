"""Results of a job: the video, its poster and its landmarks."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Query, Response
from starlette.responses import StreamingResponse

from jobs.job import Job, JobStatus
from jobs.valkey.api_keys import Scope
from jobs.values import Result
from service.auth import OwnJob, require_scope
from service.dependencies import AppComponents
from service.documents.openapi import Responses, problem_responses, response_headers
from service.documents.schemas import FrameLandmarks
from service.negotiation import quality
from service.problems import Problem, ProblemType
from service.reading.files import FileRequestDep, LandmarksDocument, StoredFile, answer_file

router = APIRouter(
    prefix="/v1/jobs/{job_id}", tags=["jobs"], dependencies=[require_scope(Scope.JOBS_READ)]
)

JSON = "application/json"
VIDEO = "video/mp4"
NPZ = "application/x-npz"


_BYTES = {"schema": {"type": "string", "format": "binary"}}


def file_responses(*media_types: str, **whole: dict[str, Any]) -> Responses:
    """Return the documented responses of a file; `whole` has the schemas of documents."""
    content = dict.fromkeys(media_types, _BYTES)
    return {
        200: {
            "description": "The complete file.",
            "content": {**content, **whole},
            **response_headers(
                ETag="Identifies the file's version.", Accept_Ranges="Always `bytes`."
            ),
        },
        206: {
            "description": "The requested range.",
            # A part of a document has no schema.
            "content": {**content, **{each: {} for each in whole}},
            **response_headers(
                ETag="Identifies the file's version.",
                Content_Range="The position of the range in the file.",
            ),
        },
        304: {"description": "The file has not changed since the version in `If-None-Match`."},
        307: {
            "description": "Redirect to the object store.",
            **response_headers(Location="An object store URL, valid for 15 minutes."),
        },
        **problem_responses(
            ProblemType.JOB_NOT_FOUND,
            ProblemType.RESULT_NOT_FOUND,
            ProblemType.VIDEO_NOT_READY,
            ProblemType.JOB_FAILED,
            ProblemType.JOB_CANCELED,
            ProblemType.RANGE_NOT_SATISFIABLE,
            ProblemType.INVALID_REQUEST,
            ProblemType.STORE_UNAVAILABLE,
            ProblemType.STORAGE_UNAVAILABLE,
        ),
    }


@router.get(
    "/video",
    summary="Download the video",
    response_class=StreamingResponse,
    responses=file_responses("video/mp4"),
)
def read_video(job: OwnJob, wanted: FileRequestDep, components: AppComponents) -> Response:
    """Return the MP4 file. A request for multiple ranges returns the complete video."""
    key = require_result(job).video_key
    return answer_file(job.id, StoredFile(components.storage, key, ".mp4", "video/mp4"), wanted)


@router.get(
    "/poster",
    summary="Download the poster",
    response_class=StreamingResponse,
    responses=file_responses("image/jpeg"),
)
def read_poster(job: OwnJob, wanted: FileRequestDep, components: AppComponents) -> Response:
    """Return a JPEG of one frame, to show before playback."""
    key = _present(require_result(job).poster_key)
    return answer_file(job.id, StoredFile(components.storage, key, ".jpg", "image/jpeg"), wanted)


@router.get(
    "/landmarks",
    summary="Download the landmarks of all frames",
    response_class=StreamingResponse,
    responses=file_responses(JSON, NPZ, **{JSON: {"schema": FrameLandmarks.model_json_schema()}}),
)
def read_landmarks(
    job: OwnJob,
    wanted: FileRequestDep,
    components: AppComponents,
    format: Annotated[
        Literal["json", "npz"] | None, Query(description="Takes precedence over `Accept`.")
    ] = None,
    accept: Annotated[str, Header(include_in_schema=False)] = "",
) -> Response:
    """Return the frame rate, the landmarks in pixels of the video, and the emotion over time.

    JSON, or NumPy's npz for `?format=npz` or `Accept: application/x-npz`.
    """
    key = _present(require_result(job).landmarks_key)
    wants_npz = format == "npz" or (format is None and quality(accept, NPZ) > quality(accept, JSON))
    arrays = StoredFile(components.storage, key, ".npz", NPZ)
    file = arrays if wants_npz else LandmarksDocument(components.storage, key)
    response = answer_file(job.id, file, wanted)
    response.headers["Vary"] = "Accept"
    return response


def require_result(job: Job) -> Result:
    """Return the job's result.

    Raises:
        Problem: there is none, or not yet.
    """
    if job.result is not None:
        return job.result
    if job.status is JobStatus.FAILED:
        raise _no_result(ProblemType.JOB_FAILED, job.failure.message if job.failure else "")
    if job.status is JobStatus.CANCELED:
        raise _no_result(ProblemType.JOB_CANCELED, "The job was canceled.")
    raise _no_result(ProblemType.VIDEO_NOT_READY, f"The job is {job.status}.")


def _no_result(problem_type: ProblemType, reason: str) -> Problem:
    return Problem(problem_type, f"{reason} Only succeeded jobs have a video.")


def _present(key: str | None) -> str:
    if key is None:
        raise Problem(ProblemType.RESULT_NOT_FOUND, "This job was created without this file.")
    return key
