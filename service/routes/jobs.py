"""Jobs: look at one, cancel it, delete it."""

from contextlib import suppress
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Path, Response, status

from jobs.errors import InvalidTransition, JobNotFound, StorageUnavailable
from jobs.storage import job_prefix
from service.components import AppComponents
from service.conditional import entity_tag, is_unchanged
from service.description import describe
from service.openapi import problem_responses, response_headers
from service.problems import Problem, ProblemType
from service.schemas import JobDocument

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])

_ID_CHARACTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")


def _known_characters(
    job_id: Annotated[str, Path(description="As `id` in the job's document.")],
) -> str:
    # An id becomes part of keys in the store, where a colon would lead elsewhere.
    if not _ID_CHARACTERS.issuperset(job_id):
        raise JobNotFound(f"{job_id!r} cannot be an id.")
    return job_id


JobId = Annotated[str, Depends(_known_characters)]


@router.get(
    "/{job_id}",
    summary="Look at a job",
    response_model=JobDocument,
    responses={
        200: response_headers(
            ETag="Names the document; it changes whenever the document does.",
            Retry_After="Seconds until it is worth another look; absent once the job has ended.",
        ),
        304: {"description": "The job is as `If-None-Match` knows it."},
        **problem_responses(ProblemType.JOB_NOT_FOUND, ProblemType.STORE_UNAVAILABLE),
    },
)
def read_job(
    job_id: JobId,
    components: AppComponents,
    if_none_match: Annotated[str | None, Header(description="The `ETag` known.")] = None,
) -> Response:
    """Return where the job stands and what came of it."""
    job = components.store.get(job_id)
    content = describe(job, components).model_dump_json().encode()
    headers = {"ETag": entity_tag(content), "Cache-Control": "private, no-cache"}
    if not job.status.is_final:
        headers["Retry-After"] = str(components.settings.poll_seconds)
    if is_unchanged(if_none_match, headers["ETag"]):
        return Response(status_code=status.HTTP_304_NOT_MODIFIED, headers=headers)
    return Response(content, headers=headers, media_type="application/json")


@router.post(
    "/{job_id}/cancel",
    summary="Cancel a job",
    responses=problem_responses(
        ProblemType.JOB_NOT_FOUND, ProblemType.JOB_ENDED, ProblemType.STORE_UNAVAILABLE
    ),
)
def cancel_job(job_id: JobId, components: AppComponents) -> JobDocument:
    """End a job that is queued or processing; its files are deleted soon after."""
    try:
        job = components.store.cancel(job_id)
    except InvalidTransition as error:
        raise Problem(
            ProblemType.JOB_ENDED, f"{error} Only a queued or processing job can be canceled."
        ) from error
    return describe(job, components)


@router.delete(
    "/{job_id}",
    summary="Delete a job",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problem_responses(ProblemType.JOB_NOT_FOUND, ProblemType.STORE_UNAVAILABLE),
)
def delete_job(job_id: JobId, components: AppComponents) -> None:
    """Forget the job, whatever its state, and delete its files."""
    components.store.delete(job_id)
    # The reconciler clears what is left, also what a worker still adds; but why wait for it.
    with suppress(StorageUnavailable):
        components.storage.delete_prefix(job_prefix(job_id))
