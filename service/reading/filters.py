"""Filters of the job list, given in the query."""

import re
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import Query, Request
from pydantic import AwareDatetime, BeforeValidator

from jobs.job import JobStatus
from jobs.valkey.listing import JobFilter
from service.problems import Problem, ProblemType

METADATA_PARAMETER: dict[str, Any] = {
    "name": "metadata",
    "in": "query",
    "required": False,
    "style": "deepObject",
    "explode": True,
    "description": (
        "Only jobs with these metadata values, as `metadata[NAME]=value`. All must match."
    ),
    "schema": {"type": "object", "additionalProperties": {"type": "string"}},
}

_METADATA = re.compile(r"metadata(?:\[(?P<bracketed>.*)\]|\.(?P<dotted>.*))", re.DOTALL)
"""A metadata filter; `metadata.NAME` is the older spelling."""

_DAY_AND_HOUR = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:.*", re.ASCII)


def _require_date_and_hour(text: str) -> str:
    if not _DAY_AND_HOUR.fullmatch(text):
        raise ValueError("expected a time such as 2026-11-22T12:00:00Z")
    return text


Time = Annotated[AwareDatetime, BeforeValidator(_require_date_and_hour)]

_NAMES = ("status", "created_after", "created_before", "limit", "cursor", "token")


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
    return JobFilter(
        frozenset(status or ()), created_after, created_before, _metadata(request.query_params)
    )


def _metadata(query: Mapping[str, str]) -> dict[str, str]:
    """Return the metadata filters of a query; every other name must be known."""
    wanted: dict[str, str] = {}
    for name, value in query.items():
        if match := _METADATA.fullmatch(name):
            wanted[match["bracketed"] if match["dotted"] is None else match["dotted"]] = value
        elif name not in _NAMES:
            raise Problem(
                ProblemType.INVALID_REQUEST,
                f"Unknown filter {name[:60]!r}; accepted: {', '.join(_NAMES)} and metadata[NAME].",
            )
    return wanted
