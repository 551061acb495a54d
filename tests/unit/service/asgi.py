"""Calls the app without a client, to send what no client would."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message

SCOPE = {
    "type": "http",
    "http_version": "1.1",
    "method": "POST",
    "scheme": "http",
    "path": "/v1/jobs",
    "query_string": b"",
    "headers": [(b"content-type", b"multipart/form-data; boundary=b")],
}


@dataclass(frozen=True)
class RawAnswer:
    status_code: int
    headers: Headers
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


def exchange(app: ASGIApp, receive: Callable[[], Coroutine[Any, Any, Any]]) -> RawAnswer:
    """Submit an upload whose body is what `receive` returns."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(app(dict(SCOPE), receive, send))  # type: ignore[arg-type]
    start, *rest = sent
    body = b"".join(message.get("body", b"") for message in rest)
    return RawAnswer(start["status"], Headers(raw=start["headers"]), body)
