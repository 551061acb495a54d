"""Who is calling: the key that a request carries, and what it may do."""

from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import Depends

from jobs.keys import LOCAL_TENANT, Allowance, Scope
from service.problems import Problem, ProblemType


@dataclass(frozen=True)
class Caller:
    """Whoever sent a request.

    Attributes:
        tenant: who owns the jobs that are made and seen.
        scopes: what may be done with them.
        key_id: the key that was given; None when the system asks for none.
        allowance: how much may be done.
    """

    tenant: str
    scopes: frozenset[Scope] = frozenset(Scope)
    key_id: str | None = None
    allowance: Allowance = field(default_factory=Allowance)


ANYONE = Caller(LOCAL_TENANT)
"""The caller of a system that asks for no key."""


def require_caller() -> Caller:
    """Return who is calling."""
    return ANYONE


CallerDep = Annotated[Caller, Depends(require_caller)]


def require_scope(scope: Scope) -> Any:
    """Return an entry of `dependencies=[…]` for a route that needs this scope."""

    def check(caller: CallerDep) -> None:
        if scope not in caller.scopes:
            given = ", ".join(sorted(caller.scopes)) or "none"
            raise Problem(
                ProblemType.SCOPE_MISSING,
                f"The key has the scopes {given}; {scope} is needed here.",
            )

    return Depends(check)
