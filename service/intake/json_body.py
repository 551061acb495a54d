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
            f"The body was incomplete after {max_seconds:g} s, which is the time limit.",
        ) from error
    try:
        value = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise Problem(
            ProblemType.MALFORMED_REQUEST, f"The body is not valid JSON: {error}."
        ) from error
    if not isinstance(value, dict):
        raise Problem(
            ProblemType.MALFORMED_REQUEST,
            "The body is valid JSON but not an object; a JSON object is required.",
        )
    return value


async def _receive(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BYTES:
            raise Problem(
                ProblemType.BODY_TOO_LARGE,
                f"The JSON body has more than {MAX_BYTES} bytes, which is the limit.",
            )
    return bytes(body)
