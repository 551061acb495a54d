"""The Python client and the `amigo` command; imports neither the service nor the workers."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from amigo.async_client import AsyncClient
    from amigo.choices import JobOptions
    from amigo.client import Client
    from amigo.errors import AmigoError, ApiProblem, ForgedWebhook, JobUnfinished, Unreachable
    from amigo.types import AssetView, CheckView, JobRequest, JobView
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

_MODULES = ("client", "async_client", "choices", "errors", "types", "webhooks")


def __getattr__(name: str) -> Any:
    """Import the client when it is used: commands that need no service start sooner without it."""
    if name not in __all__:
        raise AttributeError(f"module 'amigo' has no attribute {name!r}")
    modules = (import_module(f"amigo.{module}") for module in _MODULES)
    return next(vars(module)[name] for module in modules if name in vars(module))
