"""The sender of a request."""

from dataclasses import dataclass, field
from typing import Self

from jobs.valkey.api_keys import LOCAL_TENANT, ApiKey, Quota, Scope


@dataclass(frozen=True)
class Caller:
    """The sender of a request.

    Attributes:
        tenant: owner of the jobs that the caller can create and see.
        scopes: the caller's permissions.
        key_id: id of the API key; None if the system requires none.
        quota: the caller's limits.
    """

    tenant: str
    scopes: frozenset[Scope] = frozenset(Scope)
    key_id: str | None = None
    quota: Quota = field(default_factory=Quota)

    @classmethod
    def with_key(cls, key: ApiKey) -> Self:
        """Return the caller that holds the API key."""
        return cls(key.tenant, key.scopes, key.id, key.quota)


ANYONE = Caller(LOCAL_TENANT)
"""The caller in a system without API keys."""
