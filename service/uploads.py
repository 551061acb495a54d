"""Reads a job's two files and its options from a multipart request."""

from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import BinaryIO

from fastapi import Request
from pydantic import ValidationError
from pydantic_core import ErrorDetails
from starlette.datastructures import FormData, UploadFile

from jobs.job import Options
from service.multipart import receive_form
from service.problems import Problem, ProblemType
from service.settings import ServiceSettings

FILES = ("portrait", "audio")
OPTIONS = tuple(Options.model_fields)

_YES = frozenset({"true", "1", "on", "yes"})


@dataclass(frozen=True)
class Upload:
    """Two files, spooled to disk when they are large, and the options that came with them."""

    portrait: BinaryIO
    audio: BinaryIO
    options: Options


@asynccontextmanager
async def receive_upload(request: Request, settings: ServiceSettings) -> AsyncIterator[Upload]:
    """Receive an upload; its files are open within the context.

    Raises:
        Problem: anything about its form is not accepted.
        ClientDisconnect: the caller went away.
    """
    _require_multipart(request)
    async with receive_form(request, settings.upload_max_seconds) as form:
        _refuse_unknown(form)
        _refuse_repeated(form)
        yield Upload(
            portrait=_file(form, "portrait", settings.portrait_max_bytes),
            audio=_file(form, "audio", settings.audio_max_bytes),
            options=read_options({name: _text(form, name) for name in OPTIONS if name in form}),
        )


def read_options(texts: Mapping[str, str]) -> Options:
    """Return the options from their texts, those left out with their defaults.

    Raises:
        Problem: a value is not accepted, or consent is not given.
    """
    consent = texts.get("consent")
    if consent is None or consent.strip().lower() not in _YES:
        given = "is missing" if consent is None else f"is {_shorten(consent)}"
        raise Problem(
            ProblemType.CONSENT_REQUIRED,
            f"The option consent {given}; only true is accepted: it affirms the right to animate "
            "this face and voice.",
        )
    try:
        return Options.model_validate({**texts, "consent": True})
    except ValidationError as error:
        raise _invalid_options(error.errors()) from error


def _require_multipart(request: Request) -> None:
    given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if given != "multipart/form-data":
        raise Problem(
            ProblemType.UNSUPPORTED_MEDIA_TYPE,
            f"The body's type is {_shorten(given) if given else 'not given'}; "
            "multipart/form-data is accepted.",
            headers={"Accept": "multipart/form-data"},
        )


def _refuse_unknown(form: FormData) -> None:
    unknown = sorted({name for name in form if name not in (*FILES, *OPTIONS)})
    if unknown:
        raise Problem(
            ProblemType.UNKNOWN_OPTION,
            f"{', '.join(map(_shorten, unknown))} given; the files {', '.join(FILES)} and the "
            f"options {', '.join(OPTIONS)} are accepted.",
        )


def _refuse_repeated(form: FormData) -> None:
    counts = Counter(name for name, _ in form.multi_items())
    for name, count in counts.items():
        if count > 1:
            raise Problem(
                ProblemType.REPEATED_PART,
                f"The part {name} was sent {count} times; each part is accepted once.",
            )


def _file(form: FormData, name: str, max_bytes: int) -> BinaryIO:
    part = form.get(name)
    if part is None:
        raise Problem(
            ProblemType.MISSING_PART,
            f"The file {name} is missing; the files {', '.join(FILES)} are needed.",
        )
    if not isinstance(part, UploadFile):
        raise Problem(
            ProblemType.NOT_A_FILE,
            f"The part {name} was sent as text; it is accepted as a file, with a filename.",
        )
    if not part.size:
        raise Problem(ProblemType.EMPTY_PART, f"The file {name} has 0 bytes; it must have some.")
    if part.size > max_bytes:
        raise Problem(
            ProblemType.with_code(f"{name}_too_large"),
            f"The file {name} has {part.size} bytes; at most {max_bytes} are accepted.",
        )
    return part.file


def _text(form: FormData, name: str) -> str:
    value = form[name]
    if not isinstance(value, str):
        raise Problem(
            ProblemType.NOT_A_TEXT,
            f"The option {name} was sent as a file; it is accepted as text, without a filename.",
        )
    return value


def _invalid_options(errors: list[ErrorDetails]) -> Problem:
    sentences = list(_sentences(errors))
    return Problem(
        ProblemType.INVALID_OPTION,
        " ".join(sentence for _, sentence in sentences),
        members={"options": dict(sentences)},
    )


def _sentences(errors: list[ErrorDetails]) -> Iterator[tuple[str, str]]:
    for error in errors:
        name = str(error["loc"][0])
        accepted = error["msg"].removeprefix("Input should be ")
        yield name, f"The option {name} is {_shorten(error['input'])}; accepted: {accepted}."


def _shorten(text: str, length: int = 60) -> str:
    """Quote what a caller gave, so that no answer grows with it."""
    return repr(text if len(text) <= length else f"{text[:length]}…")
