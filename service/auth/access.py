"""Access to jobs: callers only see the jobs of their own tenant."""

from typing import Annotated

from fastapi import Depends, Path

from jobs.errors import JobNotFound
from jobs.job import Job
from service.auth.authentication import CallerDep
from service.dependencies import AppComponents

_ID_CHARACTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")


async def _known_characters(
    job_id: Annotated[str, Path(description="As `id` in the job's document.")],
) -> str:
    # The id becomes part of keys in the store, where a colon would change the key.
    if not _ID_CHARACTERS.issuperset(job_id):
        raise JobNotFound(f"{job_id!r} cannot be an id.")
    return job_id


JobId = Annotated[str, Depends(_known_characters)]


def own_job(job_id: JobId, caller: CallerDep, components: AppComponents) -> Job:
    """Return the job given in the path.

    Raises:
        JobNotFound: there is none, or it belongs to another tenant; callers cannot tell which.
    """
    job = components.store.get(job_id)
    if job.tenant != caller.tenant:
        raise JobNotFound(f"Job {job_id} is not {caller.tenant}'s.")
    return job


OwnJob = Annotated[Job, Depends(own_job)]
"""The job given in the path, if it belongs to the caller's tenant."""
