"""Settings of the process that delivers webhooks."""

from datetime import timedelta

from pydantic import Field

from jobs.settings import SigningSettings


class WebhookSettings(SigningSettings):
    """Settings of the process that delivers webhooks."""

    webhook_seconds: float = Field(15.0, gt=0, description="Timeout for a receiver's response.")
    webhook_pause_seconds: float = Field(
        5.0,
        gt=0,
        description="Pause before the second delivery attempt. Each later pause is three "
        "times as long, up to three hours.",
    )
    webhook_hours: float = Field(
        24.0, gt=0, description="Time after a job's end for which delivery is retried."
    )

    webhook_metrics_host: str = Field("127.0.0.1", description="Address for /metrics.")
    webhook_metrics_port: int = Field(
        0, ge=0, le=65535, description="Port for /metrics. 0 disables it."
    )

    @property
    def webhook_lifetime(self) -> timedelta:
        """How long after a job's end its webhook is retried."""
        return timedelta(hours=self.webhook_hours)
