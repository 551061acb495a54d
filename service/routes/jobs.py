"""Jobs: list, cancel, delete."""

import logging
from contextlib import suppress
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response, status
from pydantic_core import to_json

from jobs.documents import JobDocument
from jobs.errors import InvalidTransition, StorageUnavailable
from jobs.s3.paths import inputs_prefix, job_prefix
from jobs.valkey.api_keys import Scope
from jobs.valkey.listing import Cursor, JobFilter
from service.auth import CallerDep, OwnJob, require_scope
from service.dependencies import AppComponents
from service.documents.openapi import problem_responses
from service.documents.schemas import JobPage
from service.problems import Problem, ProblemType
from service.reading.filters import METADATA_PARAMETER, read_filter
from service.routes.preconditions import IfMatch, expected_job
from service.routes.presenter import JobPresenterDep

logger = logging.getLogger(__name__)

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])


@router.get(
    "",
    summary="List your jobs",
    response_description="A page of the list.",
    dependencies=[require_scope(Scope.JOBS_READ)],
    response_model=JobPage,
    responses=problem_responses(ProblemType.INVALID_REQUEST, ProblemType.STORE_UNAVAILABLE),
    openapi_extra={"parameters": [METADATA_PARAMETER]},
)
def list_jobs(
    caller: CallerDep,
    components: AppComponents,
    presenter: JobPresenterDep,
    wanted: Annotated[JobFilter, Depends(read_filter)],
    limit: Annotated[int, Query(ge=1, le=100, description="Maximum number of jobs per page.")] = 20,
    cursor: Annotated[
        str | None,
        Query(
            description="`next_cursor` of the previous page.",
            json_schema_extra={"format": "cursor"},
        ),
    ] = None,
) -> Response:
    """Return a page of jobs, newest first.

    A page can contain fewer jobs than requested without being the last one; the last page has no
    `next_cursor`.
    """
    start = Cursor.parse(cursor) if cursor is not None else None
    page = components.store.page(caller.tenant, wanted, limit, start)
    readings = components.store.readings([job.id for job in page.jobs])
    following = to_json(page.next_cursor and str(page.next_cursor))
    body = b'{"jobs":%b,"next_cursor":%b}' % (presenter.serialize_all(readings), following)
    return Response(body, media_type="application/json")


@router.post(
    "/{job_id}/cancel",
    summary="Cancel a job",
    response_description="The canceled job.",
    dependencies=[require_scope(Scope.JOBS_WRITE)],
    responses=problem_responses(
        ProblemType.JOB_NOT_FOUND,
        ProblemType.JOB_ENDED,
        ProblemType.PRECONDITION_FAILED,
        ProblemType.STORE_UNAVAILABLE,
    ),
)
def cancel_job(
    job: OwnJob,
    components: AppComponents,
    presenter: JobPresenterDep,
    if_match: IfMatch = None,
) -> JobDocument:
    """Cancel a job that is queued or processing. Its files are deleted soon after."""
    # RFC 9110, section 13.2.1: a precondition does not replace another refusal.
    if_match = None if job.status.is_final else if_match
    try:
        canceled = components.store.cancel(job.id, expected_job(components, job, if_match))
    except InvalidTransition as error:
        raise Problem(
            ProblemType.JOB_ENDED, f"{error} Only queued or processing jobs can be canceled."
        ) from error
    # If the store were lost before the reconciler clears the job, its journal entry would restore
    # it.
    with suppress(StorageUnavailable):
        components.storage.delete_prefix(inputs_prefix(job.id))
    return presenter.describe(canceled)


@router.delete(
    "/{job_id}",
    summary="Delete a job",
    response_description="The job was deleted.",
    dependencies=[require_scope(Scope.JOBS_WRITE)],
    status_code=status.HTTP_204_NO_CONTENT,
    responses={
        202: {"description": "The job was deleted; its files are deleted as soon as possible."},
        **problem_responses(
            ProblemType.JOB_NOT_FOUND,
            ProblemType.PRECONDITION_FAILED,
            ProblemType.STORE_UNAVAILABLE,
        ),
    },
)
def delete_job(job: OwnJob, components: AppComponents, if_match: IfMatch = None) -> Response:
    """Delete the job in any state, along with its files."""
    components.store.delete(job.id, expected_job(components, job, if_match))
    # The reconciler clears what remains, including what a worker still adds; but there is no need
    # to wait.
    try:
        components.storage.delete_prefix(job_prefix(job.id))
    except StorageUnavailable as unavailable:
        logger.warning(
            "The files of a deleted job could not be deleted; the reconciler will do so",
            extra={"fields": {"job_id": job.id, "reason": str(unavailable)}},
        )
        return Response(status_code=status.HTTP_202_ACCEPTED)
    return Response(status_code=status.HTTP_204_NO_CONTENT)
