"""Reads a request for a job, including the files of a form."""

import hashlib
from collections import Counter
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from fastapi import Request
from pydantic_core import from_json
from starlette.datastructures import FormData, UploadFile

from service.intake.content_types import FORM, JSON, require_type
from service.intake.data_urls import take_files
from service.intake.json_body import MAX_DATA_BYTES, receive_object
from service.intake.multipart import not_a_file, receive_form
from service.intake.requests import (
    FIELDS,
    INPUTS,
    CheckRequest,
    InputName,
    JobRequest,
    invalid_option,
    quote,
    read_check,
    read_request,
    refuse_unknown,
)
from service.problems import Problem, ProblemType
from service.settings import ServiceSettings

_CHUNK = 1 << 20

_LIST = "webhook_events"
"""The only option with several values."""


@dataclass(frozen=True)
class Upload:
    """A request, and its inputs that were sent as files, spooled to disk if large."""

    request: JobRequest
    files: Mapping[InputName, BinaryIO] = field(default_factory=dict)

    def fingerprint(self) -> str:
        """Return a SHA-256 that is equal for equal requests; blocks."""
        return self.request.fingerprint({name: _digest(file) for name, file in self.files.items()})


@dataclass(frozen=True)
class CheckUpload:
    """A request for a check, and the files to check."""

    request: CheckRequest
    files: Mapping[InputName, BinaryIO]


@asynccontextmanager
async def receive_upload(
    request: Request, settings: ServiceSettings, *accepted: str
) -> AsyncIterator[Upload]:
    """Receive a request for a job; its files are open within the context.

    Args:
        request: the request, with a body of one of the `accepted` content types, FORM or JSON.
        settings: the limits for its files.
        accepted: the accepted content types.

    Raises:
        Problem: the request is invalid.
        ClientDisconnect: the caller disconnected.
    """
    if require_type(request, *accepted) == JSON:
        values = await receive_object(request, settings.upload_max_seconds, MAX_DATA_BYTES)
        yield read_json_upload(values, settings)
        return
    async with _receive_parts(request, settings, FIELDS) as (values, files):
        yield Upload(read_request(values, settings.url_rules, files), files)


@asynccontextmanager
async def receive_check(request: Request, settings: ServiceSettings) -> AsyncIterator[CheckUpload]:
    """Receive files to check, as `receive_upload` receives those of a job.

    Raises:
        Problem: the request is invalid.
        ClientDisconnect: the caller disconnected.
    """
    require_type(request, FORM)
    async with _receive_parts(request, settings, CheckRequest.model_fields) as (values, files):
        if not files:
            raise Problem(
                ProblemType.MISSING_PART, "There is no file; portrait, audio or both are required."
            )
        yield CheckUpload(read_check(values), files)


@asynccontextmanager
async def _receive_parts(
    request: Request, settings: ServiceSettings, fields: Collection[str]
) -> AsyncIterator[tuple[dict[str, object], dict[InputName, BinaryIO]]]:
    """Receive a form with some fields and both inputs; yield its values and its files."""
    max_bytes = {"portrait": settings.portrait_max_bytes, "audio": settings.audio_max_bytes}
    async with receive_form(request, settings.upload_max_seconds, max_bytes) as form:
        refuse_unknown(form, also=INPUTS, fields=fields)
        _refuse_repeated(form)
        files = {name: _file(form, name) for name in INPUTS if name in form}
        yield {name: _value(form, name) for name in fields if name in form}, files


def read_json_upload(values: Mapping[str, Any], settings: ServiceSettings) -> Upload:
    """Return the request given as JSON, with its data URLs as files.

    Raises:
        Problem: the request is invalid.
    """
    rest, files = take_files(values, settings)
    return Upload(read_request(rest, settings.url_rules, data=files), files)


def _refuse_repeated(form: FormData) -> None:
    counts = Counter(name for name, _ in form.multi_items() if name != _LIST)
    for name, count in counts.items():
        if count > 1:
            raise Problem(
                ProblemType.REPEATED_PART,
                f"The part {name} was sent {count} times; it is accepted once.",
            )


def _file(form: FormData, name: str) -> BinaryIO:
    part = form[name]
    if not isinstance(part, UploadFile):
        raise not_a_file(name)
    if not part.size:
        raise Problem(ProblemType.EMPTY_PART, f"The file {name} is empty.")
    return part.file


def _value(form: FormData, name: str) -> object:
    if name == _LIST:
        return [each for part in form.getlist(name) for each in _names(str(part))]
    text = form[name]
    if name == "metadata" and isinstance(text, UploadFile):
        # Generated clients send an object of a form as a part of its own type.
        return _metadata(text.file.read().decode(errors="replace"))
    if not isinstance(text, str):
        raise Problem(
            ProblemType.NOT_A_TEXT,
            f"The option {name} was sent as a file; send it as text, without a filename.",
        )
    return _metadata(text) if name == "metadata" else text


def _names(text: str) -> list[object]:
    """Return a list that is sent as JSON or separated by commas; clients also repeat the part."""
    if text.startswith("["):
        with suppress(ValueError):
            return list(from_json(text))
    return [name.strip() for name in text.split(",") if name.strip()]


def _metadata(text: str) -> object:
    try:
        return from_json(text)
    except ValueError as error:
        raise invalid_option(
            "metadata",
            f"The option metadata is {quote(text)}; a JSON object of strings is required.",
        ) from error


def _digest(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    while chunk := file.read(_CHUNK):
        digest.update(chunk)
    file.seek(0)
    return digest.hexdigest()
