"""Verification of webhooks for their receivers: only those signed by the service are accepted."""

from collections.abc import Mapping
from datetime import datetime

from pydantic import ValidationError
from standardwebhooks import Webhook, WebhookVerificationError

from amigo.errors import ForgedWebhook
from amigo.types import JobView, View


class WebhookEvent(View):
    """The notification of a job's end.

    `type` is job.succeeded, job.failed or job.canceled; `data` is the ended job.
    """

    type: str
    timestamp: datetime
    data: JobView


def read_webhook(body: bytes, headers: Mapping[str, str], secret: str) -> WebhookEvent:
    """Verify a webhook's signature (Standard Webhooks, v1) and return its event.

    A notification can arrive more than once: duplicates share the `webhook-id` header.

    Args:
        body: the raw body of the request.
        headers: the request's headers, in any case.
        secret: the secret shared with the service, `whsec_…`.

    Raises:
        ForgedWebhook: the signature is invalid or missing, or off by more than five minutes.
    """
    signed = Webhook(secret)
    try:
        signed.verify(body, dict(headers))
        return WebhookEvent.model_validate_json(body)
    except ValidationError as error:
        raise ForgedWebhook(
            "The webhook is signed, but its content is not a valid AMIGO event."
        ) from error
    except (WebhookVerificationError, ValueError) as error:
        raise ForgedWebhook(f"The webhook could not be verified: {error}.") from error
