"""Answers HEAD wherever GET is answered: the same headers, without the body (RFC 9110, 9.3.2)."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_ROUTED = ("route", "endpoint", "path_params")
"""What routing adds to a scope, and the observation of the request needs."""


class HeadRequests:
    """ASGI middleware: routes a HEAD request like GET, and leaves out the body.

    Routes that need not produce a body look at `negotiation.is_head`.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self.app(scope, receive, send)
            return

        async def send_without_body(message: Message) -> None:
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        scope.setdefault("state", {})["is_head"] = True
        inner = {**scope, "method": "GET"}
        try:
            await self.app(inner, receive, send_without_body)
        finally:
            scope.update({name: inner[name] for name in _ROUTED if name in inner})
