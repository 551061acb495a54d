"""Receives a multipart form whole, or tells what is wrong with it."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

from starlette.datastructures import FormData
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from service.problems import Problem, ProblemType

# More than any of our forms needs, yet few: beyond them the parser gives up.
_MAX_FILES = 8
_MAX_FIELDS = 64
_MAX_FIELD_BYTES = 16_384


@asynccontextmanager
async def receive_form(request: Request, max_seconds: float) -> AsyncIterator[FormData]:
    """Receive a form within `max_seconds`; its files are open within the context.

    Raises:
        Problem: the form is malformed, incomplete or late.
        ClientDisconnect: the caller went away.
    """
    form = await _receive(request, max_seconds)
    try:
        yield form
    finally:
        await form.close()


async def _receive(request: Request, max_seconds: float) -> FormData:
    try:
        async with asyncio.timeout(max_seconds):
            return await _WholeFormParser(request).parse()
    except MultiPartException as error:
        raise Problem(ProblemType.MALFORMED_REQUEST, error.message) from error
    except TimeoutError as error:
        raise Problem(
            ProblemType.UPLOAD_TIMEOUT,
            f"The upload was not complete after {max_seconds:g} s; it must arrive within them.",
        ) from error


class _WholeFormParser(MultiPartParser):
    """Refuses a form without its last boundary, of which the framework drops the last part."""

    def __init__(self, request: Request) -> None:
        super().__init__(
            request.headers,
            self._stream_whole(request),
            max_files=_MAX_FILES,
            max_fields=_MAX_FIELDS,
            max_part_size=_MAX_FIELD_BYTES,
        )
        self._is_whole = False

    def on_end(self) -> None:
        self._is_whole = True

    async def _stream_whole(self, request: Request) -> AsyncGenerator[bytes, None]:
        # What is yielded has been parsed when the generator goes on, so that the end is known here.
        async for chunk in request.stream():
            yield chunk
        if not self._is_whole:
            raise Problem(
                ProblemType.UPLOAD_INCOMPLETE,
                "The body ends before the form's last boundary; a whole form is accepted.",
            )
