"""Problem details (RFC 9457), the error responses of the service."""

from collections.abc import Mapping
from enum import Enum, unique
from typing import Self

from starlette.responses import JSONResponse

MEDIA_TYPE = "application/problem+json"


@unique
class ProblemType(Enum):
    """All types of problems: a stable code, the HTTP status and the title.

    The code is the name in lower case. docs/problems.md lists all of them.
    """

    MALFORMED_REQUEST = 400, "The request is malformed"
    UPLOAD_INCOMPLETE = 400, "The upload is incomplete"
    KEY_MISSING = 401, "An API key is required"
    KEY_INVALID = 401, "The API key is invalid"
    ORIGIN_REFUSED = 403, "The origin is not allowed"
    SCOPE_MISSING = 403, "The API key lacks a required scope"
    ROUTE_NOT_FOUND = 404, "Route not found"
    JOB_NOT_FOUND = 404, "Job not found"
    RESULT_NOT_FOUND = 404, "File not found"
    ASSET_NOT_FOUND = 404, "Asset not found"
    METHOD_NOT_ALLOWED = 405, "Method not allowed"
    UPLOAD_TIMEOUT = 408, "The upload timed out"
    JOB_ENDED = 409, "The job has already ended"
    JOB_FAILED = 409, "The job failed, so there is no video"
    JOB_CANCELED = 409, "The job was canceled, so there is no video"
    NO_NOTIFICATION = 409, "There is no notification to deliver"
    VIDEO_NOT_READY = 409, "The video is not ready"
    ASSET_NOT_UPLOADED = 409, "The asset has not been uploaded"
    IDEMPOTENCY_IN_PROGRESS = 409, "A request with this Idempotency-Key is in progress"
    PRECONDITION_FAILED = 412, "The resource has changed"
    BODY_TOO_LARGE = 413, "The request body is too large"
    PORTRAIT_TOO_LARGE = 413, "The portrait file is too large"
    AUDIO_TOO_LARGE = 413, "The audio file is too large"
    UNSUPPORTED_MEDIA_TYPE = 415, "The media type is not supported"
    UNSUPPORTED_CONTENT_ENCODING = 415, "The content encoding is not supported"
    RANGE_NOT_SATISFIABLE = 416, "The range is not satisfiable"
    INVALID_REQUEST = 422, "The request is invalid"
    MISSING_PART = 422, "A part is missing"
    REPEATED_PART = 422, "A part was sent more than once"
    EMPTY_PART = 422, "A file is empty"
    NOT_A_FILE = 422, "A file part was sent as text"
    NOT_A_TEXT = 422, "An option was sent as a file"
    UNKNOWN_OPTION = 422, "Unknown option"
    INVALID_OPTION = 422, "Invalid option"
    SEVERAL_SOURCES = 422, "An input was given more than once"
    IDEMPOTENCY_CONFLICT = 422, "The Idempotency-Key was used for a different request"
    CONSENT_REQUIRED = 422, "Consent is required"
    PORTRAIT_UNREADABLE = 422, "The portrait is not a readable image"
    PORTRAIT_TOO_MANY_PIXELS = 422, "The portrait has too many pixels"
    PORTRAIT_TOO_SMALL = 422, "The portrait has too few pixels"
    PORTRAIT_TOO_DEMANDING = 422, "The portrait needs too many resources to decode"
    AUDIO_UNREADABLE = 422, "The audio is not a readable recording"
    AUDIO_TOO_DEMANDING = 422, "The audio needs too many resources to decode"
    NO_AUDIO_STREAM = 422, "The file contains no audio"
    AUDIO_TOO_SHORT = 422, "The audio is too short"
    AUDIO_TOO_LONG = 422, "The audio is too long"
    AUDIO_SILENT = 422, "The audio is silent"
    RATE_LIMITED = 429, "Too many requests"
    TOO_MANY_JOBS = 429, "Too many concurrent jobs"
    QUOTA_EXCEEDED = 429, "The daily job quota is used up"
    ASSET_QUOTA_EXCEEDED = 429, "The asset quota is used up"
    HEADERS_TOO_LARGE = 431, "The request headers are too large"
    INTERNAL_ERROR = 500, "Internal server error"
    STORE_UNAVAILABLE = 503, "The job store is unavailable"
    STORAGE_UNAVAILABLE = 503, "The object store is unavailable"
    DECODER_UNAVAILABLE = 503, "The decoder is unavailable"
    CHECKS_UNAVAILABLE = 503, "Checks are unavailable"
    NOT_READY = 503, "The service is not ready"
    SHUTTING_DOWN = 503, "The service is shutting down"

    def __init__(self, status: int, title: str) -> None:
        self.status = status
        self.title = title

    @property
    def code(self) -> str:
        """The stable code for callers' programs."""
        return self.name.lower()

    @classmethod
    def with_code(cls, code: str) -> Self:
        """Return the type of problem with this code.

        Raises:
            KeyError: there is none.
        """
        return {problem_type.code: problem_type for problem_type in cls}[code]


class Problem(Exception):
    """A request that cannot be served, reported as problem details.

    `detail` is a sentence that explains what was given and what is accepted; `members` are
    additional members of the JSON document.
    """

    def __init__(
        self,
        type: ProblemType,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        members: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(detail)
        self.type = type
        self.detail = detail
        self.headers = dict(headers or {})
        self.members = dict(members or {})


def problem_response(problem: Problem, request_id: str) -> JSONResponse:
    """Return the error response; `request_id` is a UUID that also appears in the log."""
    document = problem_document(problem, request_id)
    return JSONResponse(document, problem.type.status, problem.headers, MEDIA_TYPE)


def problem_document(problem: Problem, request_id: str) -> dict[str, object]:
    """Return the JSON document of the problem."""
    return {
        "type": problem_type_path(problem.type),
        "title": problem.type.title,
        "status": problem.type.status,
        "detail": problem.detail,
        "instance": f"urn:uuid:{request_id}",
        "code": problem.type.code,
        **problem.members,
    }


def problem_type_path(problem_type: ProblemType) -> str:
    """Return the path that describes this type of problem."""
    return f"/problems/{problem_type.code}"
