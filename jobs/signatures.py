"""Signatures of what leaves the system: tokens in URLs, and each tenant's webhook secret.

A token is `{claims}.{signature}`, both in URL-safe Base64: the claims as JSON, and their
HMAC-SHA256 under a key that is derived from the master secret. It is stored nowhere.
"""

import hashlib
import hmac
from base64 import b64decode, b64encode, urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from typing import Self
from urllib.parse import quote

from pydantic import SecretStr, ValidationError

from jobs.errors import KeyInvalid
from jobs.job import Job
from jobs.settings import SigningSettings
from jobs.values import Value

HOUR = 3600

_URLS = b"amigo urls"
_WEBHOOKS = b"amigo webhooks"
"""What the keys derived from the master secret are for."""


class UrlToken(Value):
    """Claims of a token for reading through a URL without an API key.

    Attributes:
        tenant: owner of the jobs that can be read.
        key_id: the API key behind it; the token ends with it. None if none is required.
        job_id: the only job that can be read; None means all of the tenant's.
        expires: end of its validity, in seconds since the epoch.
    """

    tenant: str
    key_id: str | None
    job_id: str | None
    expires: int


class Signatures:
    """Signs and verifies with keys derived from one master secret."""

    def __init__(self, secret: SecretStr) -> None:
        """Derive from a secret of the form `whsec_{Base64}`."""
        self._secret = b64decode(secret.get_secret_value().removeprefix("whsec_"))

    def sign(self, token: UrlToken) -> str:
        """Return a token as text, for use in a URL."""
        claims = urlsafe_b64encode(token.model_dump_json().encode())
        return f"{_bare(claims)}.{_bare(urlsafe_b64encode(self._mac(claims)))}"

    def verify(self, text: str, now: datetime) -> UrlToken:
        """Return the claims of a token.

        Raises:
            KeyInvalid: the token was not signed here, or has expired.
        """
        claims, _, signature = text.partition(".")
        try:
            padded, given = _padded(claims), urlsafe_b64decode(_padded(signature))
            if not hmac.compare_digest(given, self._mac(padded)):
                raise KeyInvalid("The token in the URL is invalid.")
            token = UrlToken.model_validate_json(urlsafe_b64decode(padded))
        except (ValueError, ValidationError) as error:
            raise KeyInvalid("The token in the URL is invalid.") from error
        if token.expires <= now.timestamp():
            raise KeyInvalid("The token in the URL has expired.")
        return token

    def webhook_secret(self, tenant: str, generation: int) -> str:
        """Return a tenant's webhook secret, `whsec_…`; each rotation starts the next generation."""
        key = self._derived(_WEBHOOKS)
        secret = hmac.digest(key, f"{tenant}:{generation}".encode(), hashlib.sha256)
        return f"whsec_{b64encode(secret).decode()}"

    def _mac(self, claims: bytes) -> bytes:
        return hmac.digest(self._derived(_URLS), claims, hashlib.sha256)

    def _derived(self, purpose: bytes) -> bytes:
        return hmac.digest(self._secret, purpose, hashlib.sha256)


class SignedUrls:
    """Absolute, expiring URLs of a job's files; anyone who has one can read the file."""

    def __init__(
        self,
        signatures: Signatures,
        base_url: str | None,
        lifetime: timedelta,
        retention: timedelta,
    ) -> None:
        """Sign URLs that are valid for `lifetime`, and at most until a job is deleted.

        Args:
            signatures: what signs.
            base_url: URL of the service, without a final slash; None if it is unknown.
            lifetime: validity of a URL.
            retention: how long a job is kept after its end.
        """
        self._signatures = signatures
        self._base_url = base_url
        self._lifetime = lifetime
        self._retention = retention

    @classmethod
    def of(cls, settings: SigningSettings, base_url: str | None = None) -> Self:
        """Sign as the settings say, for the given base URL unless they have one."""
        return cls(
            Signatures(settings.webhook_secret),
            settings.public_url or base_url,
            timedelta(seconds=settings.signed_url_seconds),
            settings.retention,
        )

    def url(self, job: Job, name: str, now: datetime) -> str | None:
        """Return the URL of a job's file, such as `video`; None without a base URL.

        It changes at most once an hour, so that players and caches recognize it.
        """
        if self._base_url is None:
            return None
        latest = (job.updated_at + self._retention).timestamp()
        wanted = (now + self._lifetime).timestamp()
        token = UrlToken(
            tenant=job.tenant,
            key_id=job.key_id,
            job_id=job.id,
            expires=int(min(latest, -(-wanted // HOUR) * HOUR)),
        )
        path = f"/v1/jobs/{quote(job.id)}/{name}"
        return f"{self._base_url}{path}?token={self._signatures.sign(token)}"


def expiry(now: datetime, seconds: int) -> datetime:
    """Return the end of a validity, in whole seconds."""
    return datetime.fromtimestamp(int(now.timestamp()) + seconds, UTC)


def _bare(encoded: bytes) -> str:
    return encoded.rstrip(b"=").decode()


def _padded(text: str) -> bytes:
    return text.encode("ascii", "strict") + b"=" * (-len(text) % 4)
