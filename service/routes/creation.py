"""Creation of jobs, one or several at a time."""

from dataclasses import dataclass
from typing import Annotated, Any

from anyio import to_thread
from fastapi import APIRouter, Depends, Header, Request, Response, status
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse

from jobs.documents import JobDocument, job_path
from jobs.errors import JobNotFound, JobsError, StoreUnavailable
from jobs.job import Job
from jobs.spelling import Spelling
from jobs.valkey.api_keys import Scope
from media.errors import DecoderUnavailable, MediaError
from service.auth import CallerDep, require_quota, require_scope
from service.caller import Caller
from service.dependencies import AppComponents, Components
from service.documents.openapi import (
    Responses,
    batch_request_body,
    job_form_body,
    job_json_body,
    problem_responses,
    response_headers,
)
from service.documents.schemas import BatchDocument
from service.error_handlers import as_problem
from service.intake.content_types import FORM, JSON, require_type
from service.intake.json_body import MAX_DATA_BYTES, receive_object
from service.intake.requests import read_batch
from service.intake.submissions import Submitted
from service.intake.uploads import Upload, read_json_upload, receive_upload
from service.middleware.observation import note
from service.negotiation import quality
from service.problems import Problem, ProblemType, problem_document
from service.reading.files import WHOLE, StoredFile, answer_file
from service.reading.preferences import preferred_wait
from service.routes.presenter import JobPresenter, JobPresenterDep, poll_pause
from service.routes.results import VIDEO, require_result

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])

_LIMITS = (ProblemType.RATE_LIMITED, ProblemType.TOO_MANY_JOBS, ProblemType.QUOTA_EXCEEDED)
"""Limits of an API key that can reject a new job."""

_PROBLEMS = problem_responses(
    *(each for each in ProblemType if each.status in (400, 408, 413, 415, 422)),
    *_LIMITS,
    ProblemType.JOB_NOT_FOUND,
    ProblemType.ASSET_NOT_FOUND,
    ProblemType.ASSET_NOT_UPLOADED,
    ProblemType.IDEMPOTENCY_IN_PROGRESS,
    ProblemType.STORE_UNAVAILABLE,
    ProblemType.STORAGE_UNAVAILABLE,
    ProblemType.DECODER_UNAVAILABLE,
)
_MAY_MAKE_JOBS = [require_scope(Scope.JOBS_WRITE), Depends(require_quota)]

IdempotencyKeyHeader = Annotated[
    Annotated[str, Spelling(r"^[\x21-\x7e]{1,255}$", "1 to 255 visible ASCII characters")] | None,
    Header(
        alias="Idempotency-Key",
        description=(
            "A unique value of your choice. Repeating a request with the same key does not "
            "create a second job. Kept for 24 hours."
        ),
    ),
]


@dataclass(frozen=True)
class Creation:
    """The context for creating jobs: the caller and the components."""

    request: Request
    caller: Caller
    components: Components
    presenter: JobPresenter

    async def submit(self, upload: Upload, key: str | None) -> Submitted:
        """Return the job for the upload, see `Submissions.submit`."""
        return await self.components.submissions.submit(
            upload, self.caller, key, self.request.is_disconnected
        )

    async def describe(self, job: Job, wait: int | None) -> JobDocument:
        """Return the document of a new job; with `wait`, as soon as it has ended."""
        watcher, store = self.components.watcher, self.components.store

        async def look() -> JobDocument:
            return await watcher.read(lambda: self.presenter.describe(store.get(job.id)))

        if wait:
            try:
                return await watcher.read_until(
                    job.id, look, lambda document: document.status.is_final, wait
                )
            except JobNotFound:
                return self.presenter.describe_past(job)  # the job was deleted meanwhile
            except StoreUnavailable:
                pass  # once the job is accepted, the response must not be an error
        return await to_thread.run_sync(self.presenter.describe_accepted, job)


async def _creation(
    request: Request, caller: CallerDep, components: AppComponents, presenter: JobPresenterDep
) -> Creation:
    return Creation(request, caller, components, presenter)


CreationDep = Annotated[Creation, Depends(_creation)]


_RESPONSES: Responses = {
    200: {
        "model": JobDocument,
        "description": "The job ended within the time given by `Prefer`.",
        **response_headers(
            Location="The job's path.",
            Idempotent_Replayed="true if an earlier request with this key created the job.",
            Preference_Applied="The wait that was applied.",
        ),
    },
    202: response_headers(
        Location="The job's path.",
        Retry_After="Suggested number of seconds before polling.",
        Idempotent_Replayed="true if an earlier request with this key created the job.",
        Preference_Applied="The wait that was applied.",
    ),
    **_PROBLEMS,
}

PreferHeader = Annotated[
    list[str] | None,
    Header(
        description="`wait=N` delays the response until the job ends, for at most N seconds. With "
        "`Accept: video/mp4`, the response is the video."
    ),
]


@router.post(
    "",
    summary="Create a job from a portrait and a speech clip",
    status_code=status.HTTP_202_ACCEPTED,
    dependencies=_MAY_MAKE_JOBS,
    response_model=JobDocument,
    response_description="Accepted. The job is stored and will reach a final state.",
    responses=_RESPONSES,
    openapi_extra=job_form_body(),
)
async def create_job(
    creation: CreationDep,
    idempotency_key: IdempotencyKeyHeader = None,
    prefer: PreferHeader = None,
) -> Response:
    """Check and store both inputs, and queue the job. Each input is given in exactly one way: as a
    file, by URL or as an asset.

    A JSON object with the same fields except the files is accepted here, too.
    """
    return await _create(creation, idempotency_key, prefer, FORM, JSON)


@router.post(
    "/json",
    summary="Create a job from URLs and assets",
    status_code=status.HTTP_202_ACCEPTED,
    dependencies=_MAY_MAKE_JOBS,
    response_model=JobDocument,
    response_description="Accepted. The job is stored and will reach a final state.",
    responses=_RESPONSES,
    openapi_extra=job_json_body(),
)
async def create_job_from_json(
    creation: CreationDep,
    idempotency_key: IdempotencyKeyHeader = None,
    prefer: PreferHeader = None,
) -> Response:
    """Queue the job. Each input is given in exactly one way: by URL or as an asset."""
    return await _create(creation, idempotency_key, prefer, JSON)


async def _create(
    creation: Creation, idempotency_key: str | None, prefer: list[str] | None, *accepted: str
) -> Response:
    settings = creation.components.settings
    async with receive_upload(creation.request, settings, *accepted) as upload:
        submitted = await creation.submit(upload, idempotency_key)
    job = submitted.job
    note(creation.request.scope, job_id=job.id, tenant=job.tenant)
    wait = preferred_wait(prefer or ())
    document = await creation.describe(job, wait)
    has_ended = wait is not None and document.status.is_final
    headers = {"Location": job_path(job.id)}
    if not has_ended:
        headers["Retry-After"] = str(
            poll_pause(document.queue_position, document.eta_seconds, settings.poll_seconds)
        )
    if submitted.is_replayed:
        headers["Idempotent-Replayed"] = "true"
    if wait is not None:
        headers["Preference-Applied"] = f"wait={wait}"
    if has_ended and _wants_video(creation.request):
        return await to_thread.run_sync(_answer_video, creation, job.id, headers)
    status_code = status.HTTP_200_OK if has_ended else status.HTTP_202_ACCEPTED
    return JSONResponse(document.model_dump(mode="json"), status_code, headers)


def _wants_video(request: Request) -> bool:
    accepted = request.headers.get("accept", "")
    return quality(accepted, VIDEO) > quality(accepted, JSON)


def _answer_video(creation: Creation, job_id: str, headers: dict[str, str]) -> Response:
    """Return the video of a job that ended in time, instead of its document.

    Raises:
        Problem: the job has no video; `Location` is its path.
    """
    try:
        key = require_result(creation.components.store.get(job_id)).video_key
    except Problem as problem:
        problem.headers |= headers
        raise
    response = answer_file(
        job_id, StoredFile(creation.components.storage, key, ".mp4", VIDEO), WHOLE
    )
    response.headers.update(headers)
    return response


@router.post(
    "/batch",
    summary="Create several jobs at once",
    dependencies=_MAY_MAKE_JOBS,
    response_model=BatchDocument,
    response_description="The result of each request, in the same order.",
    responses=problem_responses(
        *_LIMITS,
        ProblemType.UPLOAD_TIMEOUT,
        ProblemType.UNSUPPORTED_MEDIA_TYPE,
        ProblemType.UNSUPPORTED_CONTENT_ENCODING,
        ProblemType.MALFORMED_REQUEST,
        ProblemType.UPLOAD_INCOMPLETE,
        ProblemType.BODY_TOO_LARGE,
        ProblemType.INVALID_REQUEST,
        ProblemType.STORE_UNAVAILABLE,
    ),
    openapi_extra=batch_request_body(),
)
async def create_jobs(
    creation: CreationDep, idempotency_key: IdempotencyKeyHeader = None
) -> Response:
    """Create a job for each valid request in the batch, as if it had been sent alone. Invalid
    requests are rejected individually.

    An Idempotency-Key applies to each request in the batch: repeating the batch only creates the
    jobs that are missing.
    """
    require_type(creation.request, JSON)
    settings = creation.components.settings
    body = await receive_object(creation.request, settings.upload_max_seconds, MAX_DATA_BYTES)
    results: list[dict[str, Any]] = []
    for number, values in enumerate(read_batch(body)):
        if results and results[-1]["status"] == status.HTTP_503_SERVICE_UNAVAILABLE:
            results.append(results[-1])  # an outage would delay every request
            continue
        # Callers' keys contain no spaces, so these cannot collide with them.
        key = idempotency_key and f"{idempotency_key} {number}"
        results.append(await _outcome(creation, values, key))
    return JSONResponse({"results": results})


async def _outcome(creation: Creation, values: dict[str, Any], key: str | None) -> dict[str, Any]:
    """Return the outcome of one request of a batch: its status, and the job or the problem."""
    try:
        upload = read_json_upload(values, creation.components.settings)
        job = (await creation.submit(upload, key)).job
    except ClientDisconnect:
        raise
    except (Problem, MediaError, DecoderUnavailable, JobsError) as error:
        problem = as_problem(error, creation.request)
        request_id = creation.request.state.request_id
        return {"status": problem.type.status, "problem": problem_document(problem, request_id)}
    document = await creation.describe(job, None)
    return {"status": status.HTTP_202_ACCEPTED, "job": document.model_dump(mode="json")}
