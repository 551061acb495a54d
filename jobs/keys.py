"""What an API key is: who it speaks for, what it may do, and how much of it."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from jobs.job import Value

LOCAL_TENANT = "local"
"""Who owns the jobs of a system that asks for no key."""

Tenant = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Ceiling = Annotated[int, Field(gt=0)] | None
"""A number that is not exceeded; None: no end."""


class Scope(StrEnum):
    """What a key may do with its tenant's jobs."""

    JOBS_READ = "jobs:read"
    JOBS_WRITE = "jobs:write"


class Allowance(Value):
    """How much a key may do."""

    requests_a_minute: Ceiling = None
    concurrent_jobs: Ceiling = None
    jobs_a_day: Ceiling = None
