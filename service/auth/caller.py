"""Whoever sent a request."""

from dataclasses import dataclass, field
from typing import Self

from jobs.valkey.api_keys import LOCAL_TENANT, Allowance, ApiKey, Scope


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

    @classmethod
    def with_key(cls, key: ApiKey) -> Self:
        """Return whoever holds the key."""
        return cls(key.tenant, key.scopes, key.id, key.allowance)


ANYONE = Caller(LOCAL_TENANT)
"""The caller of a system that asks for no key."""
