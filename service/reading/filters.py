"""Filters of the job list, given in the query."""

import re
from typing import Annotated, Any

from fastapi import Query, Request
from pydantic import AwareDatetime, BeforeValidator

from jobs.job import JobStatus
from jobs.valkey.listing import JobFilter
from service.problems import Problem, ProblemType

METADATA = "metadata."
"""Prefix of metadata filters; the rest is the name of the metadata."""

METADATA_PARAMETER: dict[str, Any] = {
    "name": f"{METADATA}NAME",
    "in": "query",
    "required": False,
    "description": "Only jobs with this metadata value under NAME. Several filters must all match.",
    "schema": {"type": "string"},
}

_DAY_AND_HOUR = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:.*", re.ASCII)


def _no_timestamp(text: str) -> str:
    if not _DAY_AND_HOUR.fullmatch(text):
        raise ValueError("expected a time such as 2026-11-22T12:00:00Z")
    return text


Time = Annotated[AwareDatetime, BeforeValidator(_no_timestamp)]

_NAMES = ("status", "created_after", "created_before", "limit", "cursor")


async def read_filter(
    request: Request,
    status: Annotated[
        list[JobStatus] | None, Query(description="Only jobs with one of these statuses.")
    ] = None,
    created_after: Annotated[
        Time | None, Query(description="Only jobs created after this time (RFC 3339).")
    ] = None,
    created_before: Annotated[
        Time | None, Query(description="Only jobs created before this time (RFC 3339).")
    ] = None,
) -> JobFilter:
    """Return the filter given by the query of a request.

    Raises:
        Problem: there is an unknown filter, which would show the wrong jobs if ignored.
    """
    for name in request.query_params:
        if name not in _NAMES and not name.startswith(METADATA):
            raise Problem(
                ProblemType.INVALID_REQUEST,
                f"Unknown filter {name[:60]!r}; accepted: {', '.join(_NAMES)} and {METADATA}NAME.",
            )
    return JobFilter(
        frozenset(status or ()),
        created_after,
        created_before,
        {
            name.removeprefix(METADATA): value
            for name, value in request.query_params.items()
            if name.startswith(METADATA)
        },
    )
