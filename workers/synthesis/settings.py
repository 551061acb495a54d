"""Settings of a worker, from environment variables."""

from pathlib import Path
from tempfile import gettempdir
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from jobs.settings import Settings
from jobs.spelling import Spelling


class WorkerSettings(Settings):
    """Settings of a worker; each variable is `AMIGO_` plus the name in capitals."""

    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="Where the networks run. `auto` uses a GPU if there is one."
    )
    precision: Literal["auto", "bfloat16", "float32"] = Field(
        "auto",
        description="Precision of the networks. `auto` takes bfloat16 where the hardware has it; "
        "`float32` makes videos that differ between processors by rounding alone.",
    )
    torch_threads: int = Field(
        0, ge=0, description="CPU threads for torch. 0 keeps torch's default."
    )
    pipeline: str = Field(
        "models.pipeline:TalkingFacePipeline.load",
        description="Function that loads the pipeline for a device, as `module:name`.",
    )
    run_directory: Path = Field(
        Path(gettempdir()) / "amigo-worker",
        description="Directory shared by the worker's parent, its child and the health check. "
        "Each worker needs its own.",
    )
    metrics_host: str = Field("127.0.0.1", description="Address for /metrics.")
    metrics_port: int = Field(9101, ge=0, le=65535, description="Port for /metrics. 0 disables it.")
    visible_mark: Literal["asked", "always"] = Field(
        "asked", description="Which videos show the watermark: those that ask for it, or all."
    )
    c2pa_certificate: Path | None = Field(
        None,
        description="Certificate chain (PEM) for signing C2PA manifests. Unset: nothing is signed.",
    )
    c2pa_private_key: Path | None = Field(
        None, description="Private key of the certificate (PEM, unencrypted)."
    )
    c2pa_timestamp_url: (
        Annotated[str, Spelling(r"^https?://\S+$", "a URL with https:// or http://")] | None
    ) = Field(
        None,
        description="RFC 3161 timestamp service. Unset: signatures carry no timestamp.",
    )
    retry_max_seconds: float = Field(
        60.0, gt=0, description="Time an attempt retries an unavailable component."
    )
    fetch_seconds: float = Field(25.0, gt=0, description="Timeout for fetching one input by URL.")
    fetching_seconds: float = Field(
        240.0, gt=0, description="Time limit for fetching both inputs, retries included."
    )
    job_base_seconds: float = Field(
        120.0,
        gt=0,
        description="Time limit for the stages `listening` and `rendering`, each, before the "
        "length of the speech is added.",
    )
    job_seconds_per_second: float = Field(
        60.0, gt=0, description="Time added to each of these two limits per second of speech."
    )
    storing_seconds: float = Field(
        240.0, gt=0, description="Time limit for storing the results, retries included."
    )
    shutdown_seconds: float = Field(
        10.0, ge=0, description="Time for a running job to finish after SIGTERM."
    )
    hang_seconds: float = Field(
        60.0,
        gt=0,
        description="Time native code may block every thread before the worker kills the process.",
    )

    @model_validator(mode="after")
    def _require_all_that_signs(self) -> Self:
        parts = self.c2pa_certificate, self.c2pa_private_key
        if any(parts) != all(parts) or (self.c2pa_timestamp_url and not any(parts)):
            raise ValueError(
                "AMIGO_C2PA_CERTIFICATE and AMIGO_C2PA_PRIVATE_KEY must be set together, and "
                "AMIGO_C2PA_TIMESTAMP_URL only with them."
            )
        return self
