"""What the HTTP floor can be told from outside, as `AMIGO_…` environment variables."""

from typing import Literal

from pydantic import Field

from jobs.settings import Settings

MEGABYTE = 1_000_000


class ServiceSettings(Settings):
    """The settings of one HTTP process."""

    # Not `host` and `port`: Kubernetes sets AMIGO_PORT for a Service that is called amigo.
    listen_host: str = Field("127.0.0.1", description="Address to listen on.")
    listen_port: int = Field(8000, ge=0, le=65535, description="TCP port; 0: any free one.")
    portrait_max_bytes: int = Field(20 * MEGABYTE, gt=0, description="Largest portrait, in bytes.")
    audio_max_bytes: int = Field(50 * MEGABYTE, gt=0, description="Largest audio file, in bytes.")
    audio_max_seconds: float = Field(300.0, gt=0, description="Longest audio, in seconds.")
    upload_max_seconds: float = Field(
        600.0, gt=0, description="Longest time an upload may take to arrive, in seconds."
    )
    concurrent_submissions: int = Field(
        4, gt=0, description="Uploads decoded and stored at the same time; each holds its files."
    )
    poll_seconds: int = Field(
        1, gt=0, description="Seconds after which a caller is told to ask for its job again."
    )
    retry_seconds: int = Field(
        5, gt=0, description="Seconds after which a caller is told to try again when we are down."
    )
    shutdown_seconds: int = Field(
        20, gt=0, description="Seconds that requests under way have once we are told to stop."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="Least severe log line that is written."
    )

    @property
    def body_max_bytes(self) -> int:
        """Largest request body: both files, and room for the options and the multipart frame."""
        return self.portrait_max_bytes + self.audio_max_bytes + MEGABYTE
