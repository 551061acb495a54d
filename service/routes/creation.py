"""Jobs are made here."""

from anyio import from_thread, to_thread
from fastapi import APIRouter, Depends, Request, Response, status
from starlette.responses import JSONResponse

from jobs.keys import Scope
from service.auth import CallerDep, require_room, require_scope
from service.components import AppComponents
from service.description import describe_accepted
from service.openapi import job_request_body, problem_responses, response_headers
from service.problems import ProblemType
from service.schemas import JobDocument, job_path
from service.uploads import receive_upload

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])

_PROBLEMS = problem_responses(
    *(each for each in ProblemType if each.status in (400, 408, 413, 415, 422, 429)),
    ProblemType.STORE_UNAVAILABLE,
    ProblemType.STORAGE_UNAVAILABLE,
)


@router.post(
    "",
    summary="Make a job from a portrait and a speech clip",
    status_code=status.HTTP_202_ACCEPTED,
    dependencies=[require_scope(Scope.JOBS_WRITE), Depends(require_room)],
    response_model=JobDocument,
    response_description="Accepted: the job is kept and will reach a final state.",
    responses={
        202: response_headers(
            Location="The job's path.", Retry_After="Seconds until it is worth a look."
        ),
        **_PROBLEMS,
    },
    openapi_extra=job_request_body(),
)
async def create_job(request: Request, caller: CallerDep, components: AppComponents) -> Response:
    """Check both files, keep them, and queue the job."""
    async with receive_upload(request, components.settings) as upload:
        job = await to_thread.run_sync(
            components.submissions.submit,
            upload,
            caller,
            lambda: from_thread.run(request.is_disconnected),
            limiter=components.submission_limiter,
        )
    document = await to_thread.run_sync(describe_accepted, job, components)
    return JSONResponse(
        document.model_dump(mode="json"),
        status.HTTP_202_ACCEPTED,
        {"Location": job_path(job.id), "Retry-After": str(components.settings.poll_seconds)},
    )
