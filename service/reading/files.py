"""Serves a job's results: complete, in ranges, or through a URL of the object store."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from typing import Annotated, Any, Protocol

import numpy as np
from fastapi import Depends, Header, Query, Request, Response
from numpy.typing import NDArray
from starlette.responses import RedirectResponse, StreamingResponse

from jobs.s3.object_store import ObjectStorage
from media.emotions import EMOTIONS
from service.negotiation import is_head
from service.problems import Problem, ProblemType
from service.reading.conditional import (
    ByteRange,
    RangeNotSatisfiable,
    entity_tag,
    is_unchanged,
    requested_range,
)

URL_SECONDS = 900
"""Validity of an object store URL, in seconds."""

# Browsers wrap a video or a picture opened directly in a page of their own.
_POLICY = (
    "default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'; "
    "frame-ancestors 'none'"
)


class File(Protocol):
    """A file that can be served."""

    @property
    def suffix(self) -> str:
        """Suffix of its name, including the dot."""

    @property
    def media_type(self) -> str:
        """Its content type."""

    @property
    def identity(self) -> str:
        """Identifies this version of the file."""

    def size(self) -> int:
        """Return its size in bytes."""

    def stream(self, start: int, end: int) -> Iterator[bytes]:
        """Return the bytes from `start` to `end`, both inclusive."""

    def url(self, disposition: str) -> str | None:
        """Return the object store's URL of the file, or None if there is none."""


@dataclass(frozen=True)
class StoredFile:
    """An object; the content under its key never changes."""

    storage: ObjectStorage
    key: str
    suffix: str
    media_type: str

    @property
    def identity(self) -> str:
        """The object key."""
        return self.key

    def size(self) -> int:
        """Return the object's size in bytes."""
        return self.storage.size(self.key)

    def stream(self, start: int, end: int) -> Iterator[bytes]:
        """Return a part of the object as a stream."""
        return self.storage.stream(self.key, start, end)

    def url(self, disposition: str) -> str | None:
        """Return a presigned URL, if callers can reach the object store."""
        if not self.storage.is_public:
            return None
        return self.storage.presigned_url(
            self.key, URL_SECONDS, content_type=self.media_type, disposition=disposition
        )


@dataclass(frozen=True)
class LandmarksDocument:
    """The landmarks of all frames as JSON, converted from the stored arrays.

    `landmarks` is `[T, 79, 2]` in pixels of the video, rounded to a hundredth; `emotions` is `[T,
    8]`, the probability of each of `emotion_names`.
    """

    storage: ObjectStorage
    key: str
    suffix: str = ".json"
    media_type: str = "application/json"

    @property
    def identity(self) -> str:
        """An identifier that differs from that of the stored arrays."""
        return f"{self.key} as JSON"

    @cached_property
    def _content(self) -> bytes:
        archive = self.storage.get(self.key)
        try:
            return _landmarks_as_json(archive)
        # Readers of damaged archives raise a dozen kinds of errors.
        except Exception as error:
            raise Problem(
                ProblemType.RESULT_NOT_FOUND, "The job succeeded, but this file is damaged."
            ) from error

    def size(self) -> int:
        """Return the document's size in bytes."""
        return len(self._content)

    def stream(self, start: int, end: int) -> Iterator[bytes]:
        """Return a part of the document."""
        return iter([self._content[start : end + 1]])

    def url(self, disposition: str) -> None:
        """Return None: only the service can produce this document."""


def _landmarks_as_json(archive: bytes) -> bytes:
    with np.load(BytesIO(archive), allow_pickle=False) as arrays:
        document = {
            "synthetic": True,
            "model": arrays["model"].item(),
            "frame_rate": arrays["frame_rate"].item(),
            "landmarks": _rounded(arrays["landmarks"], 2),
            "emotions": _rounded(arrays["emotions"], 4),
            "emotion_names": list(EMOTIONS),
        }
    return json.dumps(document, separators=(",", ":"), allow_nan=False).encode()


def _rounded(array: NDArray[np.floating[Any]], decimals: int) -> Any:
    # In float64, the shortest representation of the rounded number is short.
    return array.astype(np.float64).round(decimals).tolist()


@dataclass(frozen=True)
class FileRequest:
    """The caller's request for a file: byte range, known version, and whether to redirect."""

    is_head: bool
    range: str | None
    if_range: str | None
    if_none_match: str | None
    download: bool
    redirect: bool


WHOLE = FileRequest(
    is_head=False, range=None, if_range=None, if_none_match=None, download=False, redirect=False
)
"""The whole file, from the service itself."""


async def _file_request(
    request: Request,
    range: Annotated[str | None, Header(description="A single byte range.")] = None,
    if_range: Annotated[
        str | None, Header(description="The `ETag` for which the range is valid.")
    ] = None,
    if_none_match: Annotated[
        str | None, Header(description="The `ETag` of a cached version.")
    ] = None,
    download: Annotated[
        bool, Query(description="Whether browsers should save the file instead of displaying it.")
    ] = False,
    redirect: Annotated[
        bool, Query(description="Whether to redirect to the object store, if possible.")
    ] = True,
) -> FileRequest:
    return FileRequest(is_head(request.scope), range, if_range, if_none_match, download, redirect)


FileRequestDep = Annotated[FileRequest, Depends(_file_request)]


def answer_file(name: str, file: File, wanted: FileRequest) -> Response:
    """Serve a file under a name without its suffix, as the caller requests.

    Raises:
        ObjectNotFound: the file is missing from the object store.
        Problem: the range starts after the end of the file.
    """
    disposition = "attachment" if wanted.download else "inline"
    headers = {
        "ETag": entity_tag(file.identity.encode()),
        "Cache-Control": "private, no-cache",
        "Accept-Ranges": "bytes",
        "Content-Disposition": f'{disposition}; filename="{name}{file.suffix}"',
        "Content-Security-Policy": _POLICY,
    }
    if is_unchanged(wanted.if_none_match, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    size = file.size()
    if wanted.is_head:
        headers["Content-Length"] = str(size)
        return Response(headers=headers, media_type=file.media_type)
    url = file.url(headers["Content-Disposition"]) if wanted.redirect else None
    if url is not None:
        return RedirectResponse(url, 307, {"Cache-Control": "private, no-store"})
    return _stream(file, size, wanted, headers)


def _stream(file: File, size: int, wanted: FileRequest, headers: dict[str, str]) -> Response:
    try:
        part = requested_range(wanted.range, wanted.if_range, headers["ETag"], size)
    except RangeNotSatisfiable as error:
        raise _not_satisfiable(error, size) from error
    sent = part or ByteRange(0, size - 1)
    headers["Content-Length"] = str(len(sent))
    if part is not None:
        headers["Content-Range"] = f"bytes {part.start}-{part.end}/{size}"
    chunks = file.stream(sent.start, sent.end)
    return StreamingResponse(chunks, 206 if part else 200, headers, file.media_type)


def _not_satisfiable(error: RangeNotSatisfiable, size: int) -> Problem:
    return Problem(
        ProblemType.RANGE_NOT_SATISFIABLE,
        f"The file has {size} bytes; the request asked for {error}.",
        headers={"Content-Range": f"bytes */{size}"},
    )
