"""Settings of the workers, from environment variables."""

import binascii
from base64 import b64decode
from datetime import timedelta
from pathlib import Path
from tempfile import gettempdir
from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator

from jobs.settings import Settings

DEVELOPMENT_WEBHOOK_SECRET = "whsec_YW1pZ28tZGV2ZWxvcG1lbnQtd2ViaG9vaw=="  # noqa: S105 - as named


class WorkerSettings(Settings):
    """Settings of a worker; each variable is `AMIGO_` plus the name in capitals."""

    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="Where the networks run; auto: a GPU where there is one."
    )
    torch_threads: int = Field(
        0, ge=0, description="Threads that torch computes with on a CPU; 0: as many as it likes."
    )
    pipeline: str = Field(
        "models.pipeline:TalkingFacePipeline.load",
        description="The function that loads the pipeline, given a device, as module:name.",
    )
    run_directory: Path = Field(
        Path(gettempdir()) / "amigo-worker",
        description="Where parent, child and health check meet; each worker needs its own.",
    )
    metrics_host: str = Field("127.0.0.1", description="Address that serves /metrics.")
    metrics_port: int = Field(
        9101, ge=0, le=65535, description="Port that serves /metrics; 0: none does."
    )
    visible_mark: Literal["asked", "always"] = Field(
        "asked", description="Which videos show a badge, AI: those of which it is asked, or all."
    )
    c2pa_certificate: Path | None = Field(
        None,
        description="The certificate (PEM, its issuers' behind it) that manifests are signed with.",
    )
    c2pa_private_key: Path | None = Field(
        None, description="The certificate's private key (PEM, not encrypted)."
    )
    c2pa_timestamp_url: str | None = Field(
        None,
        pattern=r"^https?://\S+$",
        description="The RFC 3161 service that dates signatures; left out: nobody is asked.",
    )
    patience_seconds: float = Field(
        60.0, gt=0, description="How long an attempt waits for a component that does not answer."
    )
    fetch_seconds: float = Field(
        25.0, gt=0, description="How long fetching a portrait or a speech clip by URL may take."
    )
    fetching_seconds: float = Field(
        240.0, gt=0, description="Time limit of fetching both inputs, all tries included."
    )
    job_base_seconds: float = Field(
        120.0, gt=0, description="Time limit of listening, and of rendering, for no speech at all."
    )
    job_seconds_per_second: float = Field(
        60.0, gt=0, description="What each second of speech adds to each of these two limits."
    )
    storing_seconds: float = Field(
        240.0, gt=0, description="Time limit of storing the results, all tries included."
    )
    shutdown_seconds: float = Field(
        10.0, ge=0, description="After SIGTERM, how long a running job may take to finish."
    )
    hang_seconds: float = Field(
        60.0,
        gt=0,
        description="How long native code may keep every thread of a worker from running, before "
        "the worker ends it.",
    )
    housekeeping_seconds: float = Field(
        5.0, gt=0, description="Time between two rounds of the housekeeping."
    )
    housekeeping_metrics_host: str = Field("127.0.0.1", description="Address that serves /metrics.")
    housekeeping_metrics_port: int = Field(
        0, ge=0, le=65535, description="Port that serves the housekeeping's /metrics; 0: none does."
    )

    @model_validator(mode="after")
    def _require_all_that_signs(self) -> Self:
        parts = self.c2pa_certificate, self.c2pa_private_key
        if any(parts) != all(parts) or (self.c2pa_timestamp_url and not any(parts)):
            raise ValueError(
                "AMIGO_C2PA_CERTIFICATE and AMIGO_C2PA_PRIVATE_KEY are set together or not at all, "
                "AMIGO_C2PA_TIMESTAMP_URL only with them."
            )
        return self


class WebhookSettings(Settings):
    """Settings of the process that delivers webhooks."""

    webhook_secret: SecretStr = Field(
        SecretStr(DEVELOPMENT_WEBHOOK_SECRET),
        description="What webhooks are signed with and their receivers check: whsec_ and 24 to 64 "
        "bytes in Base64.",
    )
    webhook_seconds: float = Field(
        15.0, gt=0, description="How long a receiver may take to answer."
    )
    webhook_pause_seconds: float = Field(
        5.0,
        gt=0,
        description="Pause before a webhook is tried again; each later one is three times as long, "
        "three hours at most.",
    )
    webhook_hours: float = Field(
        24.0, gt=0, description="How long after a job's end its webhook is still tried."
    )

    webhook_metrics_host: str = Field("127.0.0.1", description="Address that serves /metrics.")
    webhook_metrics_port: int = Field(
        0, ge=0, le=65535, description="Port that serves the courier's /metrics; 0: none does."
    )

    @property
    def webhook_patience(self) -> timedelta:
        """How long after a job's end its webhook is retried."""
        return timedelta(hours=self.webhook_hours)

    @model_validator(mode="after")
    def _require_a_good_secret(self) -> Self:
        secret = self.webhook_secret.get_secret_value()
        if self.environment == "production" and secret == DEVELOPMENT_WEBHOOK_SECRET:
            raise ValueError("AMIGO_WEBHOOK_SECRET must be set in production.")
        if not 24 <= _num_bytes(secret) <= 64:
            raise ValueError(
                "AMIGO_WEBHOOK_SECRET must be whsec_ and 24 to 64 bytes in Base64, as this makes "
                'them: echo "whsec_$(openssl rand -base64 32)".'
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
