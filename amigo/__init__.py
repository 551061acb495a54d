"""The Python client and the `amigo` command; imports neither the service nor the workers."""

from amigo.async_client import AsyncClient
from amigo.client import Client
from amigo.errors import AmigoError, ApiProblem, ForgedWebhook, JobUnfinished, Unreachable
from amigo.types import AssetView, CheckView, JobOptions, JobRequest, JobView
from amigo.webhooks import WebhookEvent, read_webhook

__all__ = [
    "AmigoError",
    "ApiProblem",
    "AssetView",
    "AsyncClient",
    "CheckView",
    "Client",
    "ForgedWebhook",
    "JobOptions",
    "JobRequest",
    "JobUnfinished",
    "JobView",
    "Unreachable",
    "WebhookEvent",
    "read_webhook",
]
