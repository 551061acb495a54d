"""A tenant's jobs, newest first: filters and pagination."""

import base64
import binascii
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Self, cast

from redis import Redis

from jobs.errors import CursorInvalid
from jobs.job import Job, JobStatus
from jobs.valkey.connection import score, translated_errors
from jobs.valkey.keys import record_key, tenant_key
from jobs.valkey.records import parse_record

CHUNK = 100
"""Number of records read at a time."""

MAX_WALK = 10_000
"""Maximum number of records read for one page; selective filters can give shorter pages."""


@dataclass(frozen=True)
class JobFilter:
    """Filters for a listing; omitted ones match every job.

    Attributes:
        statuses: the job has one of them.
        created_after: the job was created after this time.
        created_before: the job was created before this time.
        metadata: the job's metadata includes all of it.
    """

    statuses: frozenset[JobStatus] = frozenset()
    created_after: datetime | None = None
    created_before: datetime | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)

    def passes(self, job: Job) -> bool:
        """Return whether a job matches, apart from the times, which the index has checked."""
        return (not self.statuses or job.status in self.statuses) and (
            self.metadata.items() <= job.metadata.items()
        )


@dataclass(frozen=True, order=True)
class Cursor:
    """A position in the list, after the job with this creation time and id."""

    created: int
    job_id: str

    def __str__(self) -> str:
        """Return the cursor in the form used by callers."""
        return base64.urlsafe_b64encode(f"{self.created}:{self.job_id}".encode()).decode()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse a caller's cursor.

        Raises:
            CursorInvalid: the cursor is invalid.
        """
        try:
            created, job_id = base64.urlsafe_b64decode(text.encode()).decode().split(":")
            return cls(int(created), job_id)
        except (binascii.Error, ValueError) as error:
            raise CursorInvalid(f"The pagination cursor {text[:60]!r} is invalid.") from error


@dataclass(frozen=True)
class Page:
    """A page of jobs, and the position of the next page, or None."""

    jobs: list[Job]
    next_cursor: Cursor | None


def read_page(
    client: Redis, tenant: str, wanted: JobFilter, limit: int, start: Cursor | None
) -> Page:
    """Return a tenant's next jobs, at most `limit`; a shorter page need not be the last.

    Raises:
        StoreUnavailable: Valkey does not respond.
    """
    jobs: list[Job] = []
    index, seen = tenant_key(tenant), start
    with translated_errors():
        for place, job in islice(_walk(client, index, wanted, start), MAX_WALK):
            seen = place
            if job and wanted.passes(job):
                jobs.append(job)
            if len(jobs) == limit:
                break
        is_more = bool(_places(client, index, wanted, seen))
    return Page(jobs, seen if is_more else None)


def _walk(
    client: Redis, index: str, wanted: JobFilter, start: Cursor | None
) -> Iterator[tuple[Cursor, Job | None]]:
    """Yield the jobs after a cursor with their positions; None for a job that was just deleted."""
    while places := _places(client, index, wanted, start):
        records = client.mget([record_key(place.job_id) for place in places])
        for place, record in zip(places, cast("list[str | None]", records), strict=True):
            yield place, None if record is None else parse_record(record)
        start = places[-1]


def _places(client: Redis, index: str, wanted: JobFilter, start: Cursor | None) -> list[Cursor]:
    """Return the next positions after a cursor, newest first."""
    newest = f"({score(wanted.created_before)}" if wanted.created_before else "+inf"
    oldest = f"({score(wanted.created_after)}" if wanted.created_after else "-inf"
    if start and (not wanted.created_before or start.created < score(wanted.created_before)):
        newest = str(start.created)
    entries = client.zrange(
        index, newest, oldest, desc=True, byscore=True, offset=0, num=CHUNK, withscores=True
    )
    scored = cast("list[tuple[str, float]]", entries)
    places = [Cursor(int(created), job_id) for job_id, created in scored]
    return [place for place in places if start is None or place < start]
