"""Settings of the HTTP service, from `AMIGO_…` environment variables."""

from functools import lru_cache
from ipaddress import ip_address
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator
from pydantic_settings import NoDecode

from jobs.settings import DEVELOPMENT_SECRET, MEGABYTE, SigningSettings
from jobs.spelling import Spelling


class ServiceSettings(SigningSettings):
    """Settings of one HTTP process."""

    # Not `host` and `port`: Kubernetes sets AMIGO_PORT for a Service named amigo.
    listen_host: str = Field("127.0.0.1", description="Address to listen on.")
    listen_port: int = Field(8000, ge=0, le=65535, description="TCP port. 0 selects a free port.")
    authentication: Literal["open", "keys"] = Field(
        "open",
        description="`keys` requires an API key. `open` is accepted on loopback addresses only.",
    )
    cors_origins: Annotated[
        tuple[
            Annotated[
                str,
                Spelling(r"^(\*|https?://[^/*\s]+)$", "* or origins such as https://example.com"),
            ],
            ...,
        ],
        NoDecode,
    ] = Field(
        (), description="Comma-separated origins whose pages may call the service. `*` allows all."
    )
    upload_max_seconds: float = Field(
        600.0, gt=0, description="Longest time a request body may take to arrive."
    )
    header_max_seconds: float = Field(
        20.0, gt=0, description="Longest time the request headers may take to arrive."
    )
    keep_alive_seconds: int = Field(
        75,
        gt=0,
        description="Time for which an idle connection stays open. Longer than that of a proxy "
        "before the service, which would otherwise send requests into closed connections.",
    )
    stall_max_seconds: float = Field(
        60.0, gt=0, description="Longest time a client may stop reading a response."
    )
    concurrent_submissions: int = Field(
        4,
        gt=0,
        description="Submissions checked and stored at the same time. Each holds its files in "
        "memory.",
    )
    poll_seconds: int = Field(
        1,
        gt=0,
        description="Shortest polling interval suggested to clients.",
    )
    retry_seconds: int = Field(5, gt=0, description="`Retry-After` of a 503 response.")
    shutdown_seconds: int = Field(
        20, gt=0, description="Time for open requests to finish after SIGTERM."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="Lowest log level written."
    )

    @property
    def body_max_bytes(self) -> int:
        """Maximum size of a request body: both files, plus options and multipart overhead."""
        return self.portrait_max_bytes + self.audio_max_bytes + MEGABYTE

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _split(cls, origins: object) -> object:
        if not isinstance(origins, str):
            return origins
        return tuple(origin.strip() for origin in origins.split(",") if origin.strip())

    @model_validator(mode="after")
    def _refuse_open_access(self) -> Self:
        if self.authentication == "open" and not is_loopback(self.listen_host):
            raise ValueError(
                f"AMIGO_LISTEN_HOST={self.listen_host} exposes every job to other machines "
                "without API keys: set AMIGO_AUTHENTICATION=keys, or listen on 127.0.0.1."
            )
        if self.authentication == "open" and "*" in self.cors_origins:
            raise ValueError(
                "AMIGO_CORS_ORIGINS=* exposes every job to the pages of any site without API "
                "keys: list the origins, or set AMIGO_AUTHENTICATION=keys."
            )
        secret = self.key_secret.get_secret_value()
        if (self.authentication, self.environment, secret) == (
            "keys",
            "production",
            DEVELOPMENT_SECRET,
        ):
            raise ValueError("AMIGO_KEY_SECRET must be set in production.")
        return self


@lru_cache(maxsize=256)
def is_loopback(host: str) -> bool:
    """Return whether a host name or address refers to this machine only."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
