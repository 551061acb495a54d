"""Receives a complete JSON object, or reports what is wrong with it."""

import asyncio
from typing import Any

from pydantic_core import from_json
from starlette.requests import Request

from service.problems import Problem, ProblemType

MAX_BYTES = 2_000_000
"""Maximum size of a JSON body: enough for a hundred jobs with all options."""


async def receive_object(request: Request, max_seconds: float) -> dict[str, Any]:
    """Receive a JSON object within `max_seconds`.

    Raises:
        Problem: it is malformed, too large, late, or not an object.
        ClientDisconnect: the caller disconnected.
    """
    try:
        async with asyncio.timeout(max_seconds):
            body = await _receive(request)
    except TimeoutError as error:
        raise Problem(
            ProblemType.UPLOAD_TIMEOUT,
            f"The body was not complete after {max_seconds:g} s; it must arrive within them.",
        ) from error
    try:
        value = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise Problem(ProblemType.MALFORMED_REQUEST, f"The body is no JSON: {error}.") from error
    if not isinstance(value, dict):
        raise Problem(
            ProblemType.MALFORMED_REQUEST, "The body is JSON, but no object; an object is accepted."
        )
    return value


async def _receive(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BYTES:
            raise Problem(
                ProblemType.BODY_TOO_LARGE,
                f"The JSON has more than {MAX_BYTES} bytes; at most that many are accepted.",
            )
    return bytes(body)
