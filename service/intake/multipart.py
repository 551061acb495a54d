"""Receives a complete multipart form, or reports what is wrong with it."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager

from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from service.intake.requests import refuse_unknown
from service.problems import Problem, ProblemType

# More than any of our forms needs, but few: the parser rejects forms with more.
_MAX_FILES = 8
_MAX_FIELDS = 64
_MAX_FIELD_BYTES = 16_384


@asynccontextmanager
async def receive_form(
    request: Request, max_seconds: float, max_bytes: Mapping[str, int]
) -> AsyncIterator[FormData]:
    """Receive a form within `max_seconds`; its files are open within the context.

    Args:
        request: the request with the form as its body.
        max_seconds: time limit for the whole form.
        max_bytes: maximum size of each file, by name: the first byte above it rejects the form.
            Files with other names may be as large as a text field.

    Raises:
        Problem: the form is malformed, incomplete or late, or a file is too large.
        ClientDisconnect: the caller disconnected.
    """
    form = await _receive(request, max_seconds, max_bytes)
    try:
        yield form
    finally:
        await form.close()


async def _receive(request: Request, max_seconds: float, max_bytes: Mapping[str, int]) -> FormData:
    _require_utf_8(request)
    try:
        async with asyncio.timeout(max_seconds):
            return await _BoundedFormParser(request, max_bytes).parse()
    except MultiPartException as error:
        raise Problem(ProblemType.MALFORMED_REQUEST, _sentence(error)) from error
    except TimeoutError as error:
        raise Problem(
            ProblemType.UPLOAD_TIMEOUT,
            f"The upload did not arrive within the time limit of {max_seconds:g} s.",
        ) from error


def _sentence(error: MultiPartException) -> str:
    """Return what is wrong with a form, from the parser's own error if there is one."""
    if error.__cause__ is None:
        return error.message
    return f"The form is not valid multipart/form-data: {error.__cause__}."


def _require_utf_8(request: Request) -> None:
    """Check that a form's texts are UTF-8, as RFC 7578 requires.

    The framework would decode them with any Python codec the caller names, and not all of those
    return text.
    """
    _, parameters = parse_options_header(request.headers["content-type"])
    charset = parameters.get(b"charset", b"utf-8").decode("latin-1")
    if charset.lower() not in ("utf-8", "utf8"):
        raise Problem(
            ProblemType.MALFORMED_REQUEST,
            f"The form's charset is {charset[:40]!r}; only utf-8 is accepted.",
        )


def not_a_file(name: str) -> Problem:
    """Return the error for a file that was sent without a filename, and so as text."""
    return Problem(
        ProblemType.NOT_A_FILE,
        f"The part {name} was sent as text; send it as a file, with a filename. For text, "
        f"use {name}_url or {name}_asset.",
    )


def _too_long(name: str) -> Problem:
    """Return the error for a text that exceeds the limit."""
    return Problem(
        ProblemType.MALFORMED_REQUEST,
        f"The option {name[:60]} exceeds the limit of {_MAX_FIELD_BYTES} bytes.",
    )


class _BoundedFormParser(MultiPartParser):
    """Rejects forms with a file above its limit, which the framework would spool completely.

    Also rejects forms without the final boundary, whose last part the framework drops.
    """

    def __init__(self, request: Request, max_bytes: Mapping[str, int]) -> None:
        super().__init__(
            request.headers,
            self._stream_whole(request),
            max_files=_MAX_FILES,
            max_fields=_MAX_FIELDS,
            max_part_size=_MAX_FIELD_BYTES,
        )
        self._is_whole = False
        self._max_bytes = max_bytes
        self._size = 0

    def on_part_begin(self) -> None:
        super().on_part_begin()
        self._size = 0

    def on_headers_finished(self) -> None:
        super().on_headers_finished()
        # Before its content, so that a large file under a wrong name is not called too large.
        if self._current_part.file is not None:
            refuse_unknown([self._current_part.field_name], also=self._max_bytes)

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        self._size += end - start
        name = self._current_part.field_name
        if self._current_part.file is not None:
            self._require_fitting(name)
        elif self._size > _MAX_FIELD_BYTES:
            raise not_a_file(name) if name in self._max_bytes else _too_long(name)
        super().on_part_data(data, start, end)

    def _require_fitting(self, name: str) -> None:
        max_bytes = self._max_bytes.get(name, _MAX_FIELD_BYTES)
        if self._size > max_bytes:
            is_ours = name in self._max_bytes
            raise Problem(
                ProblemType.with_code(f"{name}_too_large" if is_ours else "malformed_request"),
                f"The file {name[:60]} exceeds the limit of {max_bytes} bytes.",
            )

    def on_end(self) -> None:
        self._is_whole = True

    async def _stream_whole(self, request: Request) -> AsyncGenerator[bytes, None]:
        # Yielded data has been parsed when the generator resumes, so the end is known here.
        async for chunk in request.stream():
            yield chunk
        if not self._is_whole:
            raise Problem(
                ProblemType.UPLOAD_INCOMPLETE,
                "The body ends before the form's final boundary; a complete form is required.",
            )
