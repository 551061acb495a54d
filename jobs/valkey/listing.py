"""A tenant's jobs, newest first: filtered and in pages."""

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

CHUNK = 100
"""Records read at a time."""

MAX_WALK = 10_000
"""Records that one page looks at; a filter that hardly any job passes gives emptier pages."""


@dataclass(frozen=True)
class JobFilter:
    """Which jobs are listed; what is left out lets every job through.

    Attributes:
        statuses: one of them is the job's.
        created_after: before the job's creation.
        created_before: after the job's creation.
        metadata: all of it is in the job's.
    """

    statuses: frozenset[JobStatus] = frozenset()
    created_after: datetime | None = None
    created_before: datetime | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)

    def passes(self, job: Job) -> bool:
        """Tell whether a job is listed; the times, which the index knows, are not asked again."""
        return (not self.statuses or job.status in self.statuses) and (
            self.metadata.items() <= job.metadata.items()
        )


@dataclass(frozen=True, order=True)
class Cursor:
    """A place in the list: behind the job that was created then and has this id."""

    created: int
    job_id: str

    def __str__(self) -> str:
        """Return the cursor as callers carry it."""
        return base64.urlsafe_b64encode(f"{self.created}:{self.job_id}".encode()).decode()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the cursor that a caller brought back.

        Raises:
            CursorInvalid: it is none of ours.
        """
        try:
            created, job_id = base64.urlsafe_b64decode(text.encode()).decode().split(":")
            return cls(int(created), job_id)
        except (binascii.Error, ValueError) as error:
            raise CursorInvalid(f"The cursor {text[:60]!r} is none that a page gave.") from error


@dataclass(frozen=True)
class Page:
    """Some jobs, and where the list goes on; None: nowhere."""

    jobs: list[Job]
    next_cursor: Cursor | None


def read_page(
    client: Redis, tenant: str, wanted: JobFilter, limit: int, start: Cursor | None
) -> Page:
    """Return the next `limit` jobs of a tenant at most; there may be more though there are fewer.

    Raises:
        StoreUnavailable: Valkey does not answer.
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
    """Yield the jobs behind a cursor and their places; None for one that was just deleted."""
    while places := _places(client, index, wanted, start):
        records = client.mget([record_key(place.job_id) for place in places])
        for place, record in zip(places, cast("list[str | None]", records), strict=True):
            yield place, None if record is None else Job.model_validate_json(record)
        start = places[-1]


def _places(client: Redis, index: str, wanted: JobFilter, start: Cursor | None) -> list[Cursor]:
    """Return the next places behind a cursor, newest first."""
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
