"""Addresses of components, secrets and durations; read once at startup and passed down."""

import binascii
import sys
from base64 import b64decode
from datetime import timedelta
from typing import Annotated, Literal, Self, TypeVar

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from redis.connection import parse_url

from jobs.spelling import Spelling
from jobs.urls import UrlRules

MEGABYTE = 1_000_000

DEVELOPMENT_WEBHOOK_SECRET = "whsec_YW1pZ28tZGV2ZWxvcG1lbnQtd2ViaG9vaw=="  # noqa: S105 - as named
DEVELOPMENT_SECRET = "amigo-development-secret"  # noqa: S105 - production refuses to start with it


class Settings(BaseSettings):
    """Settings shared by all processes, from `AMIGO_*` environment variables."""

    model_config = SettingsConfigDict(
        env_prefix="AMIGO_", frozen=True, extra="ignore", hide_input_in_errors=True
    )

    environment: Literal["development", "production"] = Field(
        "development", description="`production` refuses to start with a development secret."
    )
    valkey_url: Annotated[
        str, Spelling(r"^(rediss?|unix)://", "a URL with redis://, rediss:// or unix://")
    ] = Field(
        "redis://127.0.0.1:6379/0",
        repr=False,  # contains the password
        description="Valkey or Redis: `redis://`, `rediss://` or `unix:///path?db=0`. Holds "
        "the job records and the message queue.",
    )
    s3_endpoint_url: str = Field(
        "http://127.0.0.1:8333", description="S3 endpoint as this process reaches it."
    )
    s3_public_endpoint_url: str | None = Field(
        None,
        description="S3 endpoint as clients reach it, for presigned URLs. Unset: downloads "
        "pass through the service.",
    )
    s3_region: str = Field("us-east-1", description="S3 region used in signatures.")
    s3_bucket: str = Field("amigo", description="Bucket for all objects.")
    s3_addressing: Literal["path", "virtual"] = Field(
        "path",
        description="Where requests name the bucket: in the path, or in the host name (AWS).",
    )
    s3_access_key: str = Field(
        "amigo",
        description="S3 access key. Empty: AWS's default credentials, such as an IAM role.",
    )
    s3_secret_key: SecretStr = Field(SecretStr(DEVELOPMENT_SECRET), description="S3 secret key.")
    key_secret: SecretStr = Field(
        SecretStr(DEVELOPMENT_SECRET),
        min_length=16,
        description="Secret for the digests of API keys. Changing it invalidates every API key.",
    )
    lease_seconds: float = Field(
        30.0, gt=0, description="Time without a heartbeat after which a worker loses its job."
    )
    retry_pause_seconds: float = Field(
        5.0,
        ge=0,
        description="Pause before the second attempt. Each later pause is six times as long, "
        "up to five minutes.",
    )
    time_limit_seconds: int = Field(
        12 * 3600,
        gt=0,
        description="Time after which an attempt is killed if it ignores every other limit.",
    )
    retention_hours: float = Field(
        24.0, gt=0, description="Time a finished job and its files are kept."
    )
    portrait_max_bytes: int = Field(20 * MEGABYTE, gt=0, description="Largest portrait.")
    audio_max_bytes: int = Field(50 * MEGABYTE, gt=0, description="Largest audio file.")
    assets_max_bytes: int = Field(
        10_000 * MEGABYTE,
        gt=0,
        description="Quota for each tenant's assets. An asset counts for 24 hours, and at "
        "least 0.1 MB.",
    )
    audio_max_seconds: float = Field(300.0, gt=0, description="Longest audio.")
    local_urls: bool = Field(
        False,
        description="Allow URLs in jobs to use http, any port and loopback addresses. For "
        "development only.",
    )

    @property
    def retention(self) -> timedelta:
        """How long a job and its video are kept after the job has ended."""
        return timedelta(hours=self.retention_hours)

    @property
    def url_rules(self) -> UrlRules:
        """Which URLs of callers are allowed."""
        return UrlRules(self.local_urls)

    @field_validator("valkey_url", mode="before")
    @classmethod
    def _refuse_sentinel(cls, url: object) -> object:
        if isinstance(url, str) and "sentinel" in url.partition("://")[0]:
            raise ValueError(
                "Sentinel is not supported; give an address that follows the primary, such as a "
                "Kubernetes Service or a proxy."
            )
        return url

    @field_validator("valkey_url")
    @classmethod
    def _require_readable(cls, url: str) -> str:
        try:
            parse_url(url)  # type: ignore[no-untyped-call]
        except ValueError:
            # Neither the invalid value nor the reason is shown: both may contain the password.
            reason = "AMIGO_VALKEY_URL cannot be parsed; the password must be percent-encoded."
        else:
            return url
        raise ValueError(reason)

    @model_validator(mode="after")
    def _refuse_what_is_for_development(self) -> Self:
        secret = self.s3_secret_key.get_secret_value()
        if not self.s3_access_key and secret not in ("", DEVELOPMENT_SECRET):
            raise ValueError("AMIGO_S3_SECRET_KEY must not be set without AMIGO_S3_ACCESS_KEY.")
        is_ours = bool(self.s3_access_key) and secret == DEVELOPMENT_SECRET
        if self.environment == "production" and is_ours:
            raise ValueError("AMIGO_S3_SECRET_KEY must be set in production.")
        if self.environment == "production" and self.local_urls:
            raise ValueError("AMIGO_LOCAL_URLS must not be set in production.")
        return self


class SigningSettings(Settings):
    """Settings of a process that signs what leaves the system: webhooks and URLs of videos."""

    webhook_secret: SecretStr = Field(
        SecretStr(DEVELOPMENT_WEBHOOK_SECRET),
        description="Master secret: `whsec_` followed by 24 to 64 bytes in Base64. Each tenant's "
        "webhook secret and the signatures of URLs are derived from it.",
    )
    public_url: (
        Annotated[
            str,
            Spelling(
                r"^https?://[^\s?#]+[^\s?#/]$",
                "a URL with https:// or http://, without a query or a slash at its end",
            ),
        ]
        | None
    ) = Field(
        None,
        description="URL of the service as clients reach it, for absolute URLs. Unset: taken from "
        "each request, and webhooks contain no URLs of files.",
    )
    signed_url_seconds: int = Field(
        24 * 3600,
        gt=0,
        description="Time for which the URLs of files in a job are valid; they end with the job.",
    )

    @model_validator(mode="after")
    def _require_a_good_secret(self) -> Self:
        secret = self.webhook_secret.get_secret_value()
        if self.environment == "production" and secret == DEVELOPMENT_WEBHOOK_SECRET:
            raise ValueError("AMIGO_WEBHOOK_SECRET must be set in production.")
        if not 24 <= _num_bytes(secret) <= 64:
            raise ValueError(
                "AMIGO_WEBHOOK_SECRET must be whsec_ followed by 24 to 64 bytes in Base64. "
                'Create one with: echo "whsec_$(openssl rand -base64 32)".'
            )
        return self


def _num_bytes(secret: str) -> int:
    """Return the number of bytes of a webhook secret; 0 if it is invalid."""
    prefix, found, encoded = secret.partition("whsec_")
    if prefix or not found:
        return 0
    try:
        return len(b64decode(encoded, validate=True))
    except binascii.Error:
        return 0


S = TypeVar("S", bound=Settings)


def read_settings(settings: type[S]) -> S:
    """Return a process's settings, or end the process with a sentence for each invalid one."""
    try:
        return settings()
    except ValidationError as error:
        sys.exit("\n".join(describe_invalid(error)))


def describe_invalid(error: ValidationError, prefix: str = "AMIGO_") -> list[str]:
    """Return one sentence per invalid setting, with the name of its variable and without the
    values, which may be secrets.
    """
    return [_sentence(prefix, each["loc"], each["msg"]) for each in error.errors()]


def _sentence(prefix: str, place: tuple[int | str, ...], message: str) -> str:
    message = message.removeprefix("Value error, ")
    if not place:
        return message  # a rule about several settings, which names them
    return f"{f'{prefix}{place[0]}'.upper()}: {message.removesuffix('.')}."
