"""What a worker may be told by its environment."""

from pathlib import Path
from tempfile import gettempdir
from typing import Literal

from pydantic import Field

from jobs.settings import Settings


class WorkerSettings(Settings):
    """A worker's settings; each is read from `AMIGO_` and its name in capitals."""

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
    patience_seconds: float = Field(
        60.0, gt=0, description="How long an attempt waits for a component that does not answer."
    )
    fetch_seconds: float = Field(
        25.0, gt=0, description="How long fetching a portrait or a speech clip by URL may take."
    )
    job_base_seconds: float = Field(
        120.0, gt=0, description="Time limit of an attempt before its speech is heard."
    )
    job_seconds_per_second: float = Field(
        60.0, gt=0, description="What each second of speech adds to an attempt's time limit."
    )
    shutdown_seconds: float = Field(
        10.0, ge=0, description="After SIGTERM, how long a running job may take to finish."
    )
    housekeeping_seconds: float = Field(
        5.0, gt=0, description="Time between two rounds of the housekeeping."
    )
