"""Preconditions: `If-Match` (RFC 9110, section 13.1.1) on routes that change a resource."""

from typing import Annotated

from fastapi import Header

from jobs.job import Job
from service.dependencies import Components
from service.problems import Problem, ProblemType
from service.reading.conditional import is_current
from service.reading.serialized import job_tag

IfMatch = Annotated[
    list[str] | None,
    Header(
        description=(
            "Entity tags, as sent in `ETag`. If none of them is current, nothing changes and the "
            "response is 412. Weak tags (`W/`) never match."
        )
    ),
]


def require_match(if_match: list[str] | None, tag: str) -> None:
    """Check that an If-Match header, if there is one, contains the strong tag.

    Raises:
        Problem: it does not.
    """
    given = ", ".join(if_match or ())
    if if_match is None or is_current(given, tag):
        return
    hint = " A weak tag never matches; send it without W/." if "W/" in given else ""
    raise Problem(
        ProblemType.PRECONDITION_FAILED,
        f"If-Match is {given[:100]!r}, but the current version is {tag}.{hint}",
        headers={"ETag": tag},
    )


def expected_job(components: Components, job: Job, if_match: list[str] | None) -> Job | None:
    """Return the version of a job that a change requires; None if any will do.

    Raises:
        Problem: the job is not in that version.
        JobNotFound: it was deleted meanwhile.
    """
    if if_match in (None, ["*"]):
        return None
    reading = components.store.reading(job.id)
    require_match(if_match, job_tag(reading))
    return reading.job
