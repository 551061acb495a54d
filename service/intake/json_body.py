"""Receives a complete JSON object, or reports what is wrong with it."""

import asyncio
from typing import Any, TypeVar

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from pydantic_core import from_json
from starlette.requests import Request

from service.intake.content_types import JSON, require_type
from service.problems import Problem, ProblemType
from service.settings import ServiceSettings

Model = TypeVar("Model", bound=BaseModel)

MAX_BYTES = 2_000_000
"""Maximum size of a JSON body: enough for a hundred jobs with all options."""

MAX_DATA_BYTES = 16_000_000
"""Maximum size of a JSON body that can contain files as data URLs; it is held in memory."""


async def receive_object(
    request: Request, max_seconds: float, max_bytes: int = MAX_BYTES
) -> dict[str, Any]:
    """Receive a JSON object within `max_seconds`.

    Raises:
        Problem: it is malformed, too large, late, or not an object.
        ClientDisconnect: the caller disconnected.
    """
    try:
        async with asyncio.timeout(max_seconds):
            body = await _receive(request, max_bytes)
    except TimeoutError as error:
        raise Problem(
            ProblemType.UPLOAD_TIMEOUT,
            f"The body did not arrive within the time limit of {max_seconds:g} s.",
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


async def receive_document(
    request: Request, model: type[Model], settings: ServiceSettings
) -> Model:
    """Receive a JSON object and return it validated.

    Call it after the API key was checked; the framework would read the body before.

    Raises:
        Problem: the body is not a JSON object.
        RequestValidationError: the object does not match the model.
        ClientDisconnect: the caller disconnected.
    """
    require_type(request, JSON)
    values = await receive_object(request, settings.upload_max_seconds)
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise RequestValidationError(error.errors()) from error


async def _receive(request: Request, max_bytes: int) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > max_bytes:
            raise Problem(
                ProblemType.BODY_TOO_LARGE,
                f"The JSON body exceeds the limit of {max_bytes} bytes.",
            )
    return bytes(body)
