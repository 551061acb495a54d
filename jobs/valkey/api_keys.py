"""API keys: their tenants, scopes and limits, and the store that holds them.

    amigo:keys    hash: each API key by its id, as JSON, with the digest of its token

A token is `amigo_{id}_{secret}`. It is shown once on creation and stored nowhere. The store holds
its HMAC-SHA256 under a secret of the service, so neither the store nor a copy of it grants access.
"""

import hashlib
import hmac
import re
import secrets
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Self, cast

from pydantic import Field, SecretStr
from redis import Redis
from redis.client import Pipeline

from jobs.errors import KeyInvalid, KeyNotFound
from jobs.settings import Settings
from jobs.spelling import Spelling
from jobs.valkey.connection import clock_time, connect, read_clock, transact, translated_errors
from jobs.values import Value

KEYS = "amigo:keys"

LOCAL_TENANT = "local"
"""Tenant of all jobs in a system without API keys."""

_TOKEN = re.compile(r"amigo_([0-9a-f]{16})_[A-Za-z0-9_-]{43}", re.ASCII)
_NO_DIGEST = "0" * 64

Tenant = Annotated[
    str,
    Spelling(r"^[A-Za-z0-9_-]{1,64}$", "1 to 64 ASCII letters, digits, underscores or hyphens"),
]
Ceiling = Annotated[int, Field(gt=0)] | None
"""Upper limit; None means unlimited."""


class Scope(StrEnum):
    """Permissions of an API key on its tenant's jobs."""

    JOBS_READ = "jobs:read"
    JOBS_WRITE = "jobs:write"


class Quota(Value):
    """Limits of an API key."""

    requests_a_minute: Ceiling = Field(None, description="Requests in any 60 seconds.")
    concurrent_jobs: Ceiling = Field(
        None, description="Jobs queued or processing at the same time."
    )
    jobs_a_day: Ceiling = Field(None, description="Jobs created per UTC day.")


class ApiKey(Value):
    """An API key as stored."""

    id: str = Field(pattern=r"^[0-9a-f]{16}$")
    tenant: Tenant
    name: str = Field("", max_length=100, description="Human-readable name.")
    scopes: frozenset[Scope] = frozenset(Scope)
    quota: Quota = Quota()
    digest: str = Field(repr=False, description="HMAC-SHA256 of the token, in hex.")
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None

    def why_invalid(self, now: datetime) -> str | None:
        """Return why the API key is unusable, `revoked` or `expired`, or None."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= now else None


class ApiKeyStore:
    """The API keys. Every method may raise StoreUnavailable. Safe to share between threads."""

    def __init__(self, client: Redis, secret: SecretStr) -> None:
        """Store API keys in Valkey, with digests under the secret; the client must decode."""
        self._client = client
        self._secret = secret.get_secret_value().encode()

    @classmethod
    def connect(cls, settings: Settings) -> Self:
        """Return the store given by the settings, without connecting."""
        return cls(connect(settings.valkey_url), settings.key_secret)

    def create(
        self,
        tenant: str,
        *,
        name: str = "",
        scopes: frozenset[Scope] = frozenset(Scope),
        quota: Quota = Quota(),  # noqa: B008 - frozen
        lifetime: timedelta | None = None,
    ) -> tuple[ApiKey, str]:
        """Create an API key and return it with its token, which cannot be retrieved later.

        Raises:
            ValidationError: a value is invalid.
        """
        with translated_errors():
            now = read_clock(self._client)
        key_id = secrets.token_hex(8)
        token = f"amigo_{key_id}_{secrets.token_urlsafe(32)}"
        key = ApiKey(
            id=key_id,
            tenant=tenant,
            name=name,
            scopes=scopes,
            quota=quota,
            digest=self._digest(token),
            created_at=now,
            expires_at=now + lifetime if lifetime is not None else None,
        )
        self.restore(key)
        return key, token

    def verify(self, token: str) -> ApiKey:
        """Return the API key of a token.

        Raises:
            KeyInvalid: the token is unknown, or its API key has expired or was revoked.
        """
        key_id = token_id(token)
        if key_id is None:
            raise KeyInvalid("The value is not an API key, which has the form amigo_…_….")
        key, now = self._look_up(key_id)
        # Always compare, even without a key, so that timing does not reveal whether an id exists.
        is_right = hmac.compare_digest(key.digest if key else _NO_DIGEST, self._digest(token))
        if key is None or not is_right:
            raise KeyInvalid("The API key is unknown.")
        _require_valid(key, now)
        return key

    def require_valid(self, key_id: str) -> ApiKey:
        """Return an API key verified earlier if it is still valid.

        Raises:
            KeyInvalid: it has expired or was revoked.
        """
        key, now = self._look_up(key_id)
        if key is None:
            raise KeyInvalid("The API key is unknown.")
        _require_valid(key, now)
        return key

    def all(self) -> list[ApiKey]:
        """Return all API keys including revoked ones, oldest first."""
        with translated_errors():
            records = cast("list[str]", self._client.hvals(KEYS))
        keys = map(ApiKey.read, records)
        return sorted(keys, key=lambda key: (key.created_at, key.id))

    def revoke(self, key_id: str) -> ApiKey:
        """Revoke an API key; repeating it has no effect.

        Raises:
            KeyNotFound: there is no API key with this id.
        """

        def mark(pipe: Pipeline) -> ApiKey:
            record = pipe.hget(KEYS, key_id)
            if record is None:
                raise KeyNotFound(f"There is no API key with the id {key_id}.")
            key = ApiKey.read(cast("str", record))
            now = read_clock(pipe)
            revoked = key.model_copy(update={"revoked_at": key.revoked_at or now})
            pipe.multi()
            pipe.hset(KEYS, key_id, revoked.model_dump_json())
            return revoked

        return transact(self._client, mark, KEYS)

    def restore(self, key: ApiKey) -> bool:
        """Store an API key unless its id exists; return whether it was stored."""
        with translated_errors():
            return bool(self._client.hsetnx(KEYS, key.id, key.model_dump_json()))

    def _look_up(self, key_id: str) -> tuple[ApiKey | None, datetime]:
        """Return the API key, if any, and the time on the store's clock."""
        with translated_errors(), self._client.pipeline(transaction=False) as pipe:
            pipe.hget(KEYS, key_id)
            pipe.time()
            record, clock = pipe.execute()
        return record and ApiKey.read(record), clock_time(*clock)

    def _digest(self, token: str) -> str:
        return hmac.new(self._secret, token.encode(), hashlib.sha256).hexdigest()


def _require_valid(key: ApiKey, now: datetime) -> None:
    if reason := key.why_invalid(now):
        raise KeyInvalid(f"The API key {key.id} is {reason}.")


def token_id(token: str) -> str | None:
    """Return the id of the API key in a token, or None if the token has another format."""
    match = _TOKEN.fullmatch(token)
    return match[1] if match else None
