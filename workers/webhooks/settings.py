"""Settings of the process that delivers webhooks."""

import binascii
from base64 import b64decode
from datetime import timedelta
from typing import Self

from pydantic import Field, SecretStr, model_validator

from jobs.settings import Settings

DEVELOPMENT_WEBHOOK_SECRET = "whsec_YW1pZ28tZGV2ZWxvcG1lbnQtd2ViaG9vaw=="  # noqa: S105 - as named


class WebhookSettings(Settings):
    """Settings of the process that delivers webhooks."""

    webhook_secret: SecretStr = Field(
        SecretStr(DEVELOPMENT_WEBHOOK_SECRET),
        description="Signing secret for webhooks: `whsec_` followed by 24 to 64 bytes in Base64.",
    )
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
