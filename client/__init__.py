"""The Python client and the `amigo` command; importing it needs none of the floors."""

from client.async_client import AsyncAmigoClient
from client.client import AmigoClient
from client.errors import AmigoError, ApiProblem, ForgedWebhook, JobUnfinished, Unreachable
from client.job_request import JobOptions, JobRequest
from client.job_view import AssetView, JobView
from client.webhooks import WebhookEvent, read_webhook

__all__ = [
    "AmigoClient",
    "AmigoError",
    "ApiProblem",
    "AssetView",
    "AsyncAmigoClient",
    "ForgedWebhook",
    "JobOptions",
    "JobRequest",
    "JobUnfinished",
    "JobView",
    "Unreachable",
    "WebhookEvent",
    "read_webhook",
]
