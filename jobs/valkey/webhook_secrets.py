"""Which of a tenant's webhook secrets are valid; the secrets themselves are derived, not stored.

    amigo:webhook-secrets    hash: by tenant, the current generation and the time it began, as JSON

A rotation begins the next generation. For a day, webhooks are signed with both.
"""

from datetime import datetime, timedelta
from typing import Self, cast

from redis import Redis
from redis.client import Pipeline

from jobs.settings import SigningSettings
from jobs.signatures import Signatures
from jobs.valkey.connection import clock_time, connect, read_clock, transact, translated_errors
from jobs.values import Value

SECRETS = "amigo:webhook-secrets"

OVERLAP = timedelta(days=1)
"""How long the previous secret remains valid after a rotation."""


class Generation(Value):
    """The current generation of a tenant's secret, and when it began."""

    number: int = 0
    began_at: datetime | None = None


class TenantSecrets(Value):
    """A tenant's valid webhook secrets, `whsec_…`, each for 32 bytes in Base64."""

    current: str
    previous: str | None = None
    previous_expires_at: datetime | None = None

    @property
    def valid(self) -> tuple[str, ...]:
        """All valid secrets; the current one first."""
        return (self.current,) if self.previous is None else (self.current, self.previous)


class WebhookSecrets:
    """The webhook secrets of all tenants. Every method may raise StoreUnavailable."""

    def __init__(self, client: Redis, signatures: Signatures) -> None:
        """Keep generations in Valkey, and derive the secrets with `signatures`."""
        self._client = client
        self._signatures = signatures

    @classmethod
    def connect(cls, settings: SigningSettings) -> Self:
        """Return the secrets given by the settings, without connecting."""
        return cls(connect(settings.valkey_url), Signatures(settings.webhook_secret))

    def of(self, tenant: str) -> TenantSecrets:
        """Return a tenant's valid secrets."""
        with translated_errors(), self._client.pipeline(transaction=False) as pipe:
            pipe.hget(SECRETS, tenant)
            pipe.time()
            record, clock = pipe.execute()
        return self._secrets(tenant, _generation(record), clock_time(*clock))

    def rotate(self, tenant: str) -> TenantSecrets:
        """Begin a tenant's next secret; the previous one expires after OVERLAP."""

        def advance(pipe: Pipeline) -> TenantSecrets:
            before = _generation(cast("str | None", pipe.hget(SECRETS, tenant)))
            now = read_clock(pipe)
            after = Generation(number=before.number + 1, began_at=now)
            pipe.multi()
            pipe.hset(SECRETS, tenant, after.model_dump_json())
            return self._secrets(tenant, after, now)

        return transact(self._client, advance, SECRETS)

    def _secrets(self, tenant: str, generation: Generation, now: datetime) -> TenantSecrets:
        current = self._signatures.webhook_secret(tenant, generation.number)
        if generation.began_at is None or generation.began_at + OVERLAP <= now:
            return TenantSecrets(current=current)
        return TenantSecrets(
            current=current,
            previous=self._signatures.webhook_secret(tenant, generation.number - 1),
            previous_expires_at=generation.began_at + OVERLAP,
        )


def _generation(record: str | None) -> Generation:
    return Generation() if record is None else Generation.read(record)
