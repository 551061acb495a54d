"""Rejects oversized request bodies, by their declared length or while they are received."""

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.middleware.observation import request_id
from service.problems import Problem, ProblemType, problem_response


class BodyLimit:
    """ASGI middleware: the application receives at most `max_bytes` of a body.

    A declared length above the limit is rejected before any byte is read. Without a length, bytes
    are counted, and the first one above the limit raises a Problem where the application reads.
    """

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self.app = app
        self.max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
        elif self._declared_length(scope) > self.max_bytes:
            response = problem_response(self._problem(), request_id(scope))
            await response(scope, receive, send)
        else:
            await self.app(scope, self._counted(receive), send)

    @staticmethod
    def _declared_length(scope: Scope) -> int:
        declared = Headers(scope=scope).get("content-length", "")
        return int(declared) if declared.isdecimal() else 0

    def _counted(self, receive: Receive) -> Receive:
        received = 0

        async def receive_counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self.max_bytes:
                raise self._problem()
            return message

        return receive_counted

    def _problem(self) -> Problem:
        return Problem(
            ProblemType.BODY_TOO_LARGE,
            f"The body exceeds the limit of {self.max_bytes} bytes.",
        )
