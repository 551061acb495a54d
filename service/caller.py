"""The sender of a request."""

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Self

from starlette.datastructures import URL
from starlette.requests import Request

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


def service_url(request: Request) -> URL:
    """Return the URL, with the path `/`, by which the caller knows the service."""
    scope, host = request.scope, request.headers.get("host")
    return _service_url(scope["scheme"], tuple(scope.get("server") or ()), host)


@lru_cache(maxsize=256)
def _service_url(scheme: str, server: tuple[Any, ...], host: str | None) -> URL:
    """Return the URL of a service that is asked again and again by the same `Host`."""
    headers = [] if host is None else [(b"host", host.encode("latin-1"))]
    scope = {"scheme": scheme, "server": server or None, "path": "/", "headers": headers}
    return URL(scope=scope)
