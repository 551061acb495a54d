"""Settings of the reconciler, from environment variables."""

from pydantic import Field

from jobs.settings import Settings


class ReconcilerSettings(Settings):
    """Settings of one reconciler; each variable is `AMIGO_` plus the name in capitals."""

    reconciler_seconds: float = Field(5.0, gt=0, description="Time between two rounds.")
    reconciler_metrics_host: str = Field("127.0.0.1", description="Address for /metrics.")
    reconciler_metrics_port: int = Field(
        0, ge=0, le=65535, description="Port for /metrics. 0 disables it."
    )
