"""A file that is downloaded in parts, and exists completely or not at all."""

from io import BufferedWriter
from pathlib import Path
from typing import Self

import httpx


class PartialFile:
    """Collects a download next to its target path and moves it there once it is complete.

    Use it in a `with` statement: an incomplete download is deleted at the end, and an existing file
    at the target stays.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._partial = path.with_name(f"{path.name}.part")
        self._entity_tag: str | None = None
        self._file: BufferedWriter | None = None

    def __enter__(self) -> Self:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._partial.open("wb")
        return self

    def __exit__(self, *exception: object) -> None:
        self._opened.close()
        self._partial.unlink(missing_ok=True)

    @property
    def size(self) -> int:
        """Number of bytes received."""
        return self._opened.tell()

    def request_headers(self) -> dict[str, str]:
        """Return the headers that request the missing part.

        Without an entity tag, it would be unknown whether the rest belongs to the same file.
        """
        headers = {"Accept-Encoding": "identity"}
        if self._entity_tag and self.size:
            headers |= {"Range": f"bytes={self.size}-", "If-Range": self._entity_tag}
        return headers

    def begin(self, response: httpx.Response) -> None:
        """Prepare for a response body: the rest, or the whole file from the start."""
        if response.status_code != httpx.codes.PARTIAL_CONTENT:
            self.restart()
        tag = response.headers.get("ETag", "")
        self._entity_tag = tag if tag.startswith('"') else None

    def write(self, piece: bytes) -> None:
        """Append received data."""
        self._opened.write(piece)

    def restart(self) -> None:
        """Discard received data."""
        self._entity_tag = None
        self._opened.seek(0)
        self._opened.truncate()

    def finish(self) -> Path:
        """Move the file to its target and return its path."""
        self._opened.flush()
        return self._partial.replace(self._path)

    @property
    def _opened(self) -> BufferedWriter:
        if self._file is None:
            raise ValueError(f"{self._partial} can only be written within a `with` statement.")
        return self._file
