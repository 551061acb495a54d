"""Webhooks as their receiver sees them: believed only when the service has signed them."""

from collections.abc import Mapping
from datetime import datetime

from pydantic import ValidationError
from standardwebhooks import Webhook, WebhookVerificationError

from amigo.errors import ForgedWebhook
from amigo.types import JobView, View


class WebhookEvent(View):
    """The news of a job's end.

    `type` is job.succeeded, job.failed or job.canceled; `data` is the job as it ended.
    """

    type: str
    timestamp: datetime
    data: JobView


def read_webhook(body: bytes, headers: Mapping[str, str], secret: str) -> WebhookEvent:
    """Return what a webhook tells, once its signature (Standard Webhooks, v1) has been checked.

    The same news may come more than once: its `webhook-id` header tells repetitions apart.

    Args:
        body: the request's body, byte for byte as it came.
        headers: the request's headers, in whatever case.
        secret: the secret shared with the service, `whsec_…`.

    Raises:
        ForgedWebhook: the signature is wrong or missing, or older or newer than five minutes.
    """
    signed = Webhook(secret)
    try:
        signed.verify(body, dict(headers))
        return WebhookEvent.model_validate_json(body)
    except ValidationError as error:
        raise ForgedWebhook("The webhook is signed, but tells nothing that AMIGO would.") from error
    except (WebhookVerificationError, ValueError) as error:
        raise ForgedWebhook(f"The webhook cannot be believed: {error}.") from error
