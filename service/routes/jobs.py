"""Jobs: list, get, cancel, delete."""

import logging
from contextlib import suppress
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Response, status

from jobs.documents import JobDocument
from jobs.errors import InvalidTransition, StorageUnavailable
from jobs.s3.paths import inputs_prefix, job_prefix
from jobs.valkey.api_keys import Scope
from jobs.valkey.listing import Cursor, JobFilter
from service.auth import CallerDep, JobId, OwnJob, own_job, require_scope
from service.dependencies import AppComponents
from service.documents.openapi import problem_responses, response_headers
from service.documents.schemas import JobPage
from service.problems import Problem, ProblemType
from service.reading.conditional import is_unchanged
from service.reading.filters import METADATA_PARAMETER, read_filter
from service.reading.preferences import MAX_WAIT
from service.routes.descriptions import JobDescriptions, document_tag, poll_pause

logger = logging.getLogger(__name__)

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])


@router.get(
    "",
    summary="List your jobs",
    response_description="A page of the list.",
    dependencies=[require_scope(Scope.JOBS_READ)],
    responses=problem_responses(ProblemType.INVALID_REQUEST, ProblemType.STORE_UNAVAILABLE),
    openapi_extra={"parameters": [METADATA_PARAMETER]},
)
def list_jobs(
    caller: CallerDep,
    components: AppComponents,
    descriptions: JobDescriptions,
    wanted: Annotated[JobFilter, Depends(read_filter)],
    limit: Annotated[int, Query(ge=1, le=100, description="Maximum number of jobs per page.")] = 20,
    cursor: Annotated[
        str | None,
        Query(
            description="`next_cursor` of the previous page.",
            json_schema_extra={"format": "cursor"},
        ),
    ] = None,
) -> JobPage:
    """Return a page of jobs, newest first.

    A page can contain fewer jobs than requested without being the last one; the last page has no
    `next_cursor`.
    """
    start = Cursor.parse(cursor) if cursor is not None else None
    page = components.store.page(caller.tenant, wanted, limit, start)
    return JobPage(
        jobs=[descriptions.describe(job) for job in page.jobs],
        next_cursor=str(page.next_cursor) if page.next_cursor else None,
    )


@router.get(
    "/{job_id}",
    summary="Get a job",
    response_description="The current state of the job.",
    dependencies=[require_scope(Scope.JOBS_READ)],
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
    job_id: JobId,
    caller: CallerDep,
    components: AppComponents,
    descriptions: JobDescriptions,
    wait: Annotated[
        int, Query(ge=0, le=MAX_WAIT, description="Maximum number of seconds to wait for a change.")
    ] = 0,
    if_none_match: Annotated[
        str | None,
        Header(description="The `ETag` of the known version; changes are relative to it."),
    ] = None,
) -> Response:
    """Return the job's state and results, now or as soon as they change."""
    known = if_none_match

    def look() -> JobDocument:
        return descriptions.describe(own_job(job_id, caller, components))

    def is_due(document: JobDocument) -> bool:
        nonlocal known
        # Without a tag, changes are relative to the first read.
        known = known or document_tag(document)
        return document.status.is_final or not is_unchanged(known, document_tag(document))

    document = await components.watcher.read_until(job_id, look, is_due, wait)
    headers = {"ETag": document_tag(document), "Cache-Control": "private, no-cache"}
    if not document.status.is_final:
        headers["Retry-After"] = str(poll_pause(document, components.settings.poll_seconds))
    if is_unchanged(if_none_match, headers["ETag"]):
        return Response(status_code=status.HTTP_304_NOT_MODIFIED, headers=headers)
    return Response(document.model_dump_json(), headers=headers, media_type="application/json")


@router.post(
    "/{job_id}/cancel",
    summary="Cancel a job",
    response_description="The canceled job.",
    dependencies=[require_scope(Scope.JOBS_WRITE)],
    responses=problem_responses(
        ProblemType.JOB_NOT_FOUND, ProblemType.JOB_ENDED, ProblemType.STORE_UNAVAILABLE
    ),
)
def cancel_job(
    job: OwnJob, components: AppComponents, descriptions: JobDescriptions
) -> JobDocument:
    """Cancel a job that is queued or processing. Its files are deleted soon after."""
    try:
        canceled = components.store.cancel(job.id)
    except InvalidTransition as error:
        raise Problem(
            ProblemType.JOB_ENDED, f"{error} Only queued or processing jobs can be canceled."
        ) from error
    # If the store were lost before the reconciler clears the job, its journal entry would restore
    # it.
    with suppress(StorageUnavailable):
        components.storage.delete_prefix(inputs_prefix(job.id))
    return descriptions.describe(canceled)


@router.delete(
    "/{job_id}",
    summary="Delete a job",
    response_description="The job was deleted.",
    dependencies=[require_scope(Scope.JOBS_WRITE)],
    status_code=status.HTTP_204_NO_CONTENT,
    responses={
        202: {"description": "The job was deleted; its files are deleted as soon as possible."},
        **problem_responses(ProblemType.JOB_NOT_FOUND, ProblemType.STORE_UNAVAILABLE),
    },
)
def delete_job(job: OwnJob, components: AppComponents) -> Response:
    """Delete the job in any state, along with its files."""
    components.store.delete(job.id)
    # The reconciler clears what remains, including what a worker still adds; but there is no need
    # to wait.
    try:
        components.storage.delete_prefix(job_prefix(job.id))
    except StorageUnavailable as unavailable:
        logger.warning(
            "The files of a deleted job are left to the reconciler",
            extra={"fields": {"job_id": job.id, "reason": str(unavailable)}},
        )
        return Response(status_code=status.HTTP_202_ACCEPTED)
    return Response(status_code=status.HTTP_204_NO_CONTENT)
