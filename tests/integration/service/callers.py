"""A service that requires API keys, and its callers."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from jobs.valkey.api_keys import ApiKeyStore, Quota, Scope
from service.settings import ServiceSettings
from tests.integration.service.conftest import LiveService, serving

BOTH = frozenset(Scope)


@dataclass(frozen=True)
class Guarded:
    """A live service with API keys, and its API key store."""

    live: LiveService
    keys: ApiKeyStore

    def key(
        self,
        tenant: str = "acme",
        scopes: frozenset[Scope] = BOTH,
        lifetime: timedelta | None = None,
        **quota: int,
    ) -> dict[str, str]:
        """Return the header with a new API key."""
        _, token = self.keys.create(tenant, scopes=scopes, lifetime=lifetime, quota=Quota(**quota))
        return bearer(token)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@contextmanager
def guarding(settings: ServiceSettings) -> Iterator[Guarded]:
    guarded = settings.model_copy(update={"authentication": "keys"})
    with serving(guarded) as live:
        yield Guarded(live, ApiKeyStore.connect(guarded))
