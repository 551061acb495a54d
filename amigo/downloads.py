"""A file that arrives in pieces, and is there whole or not at all."""

from io import BufferedWriter
from pathlib import Path
from typing import Self

import httpx


class PartialFile:
    """Collects a download beside its place and moves it there once it is whole.

    Use it in a `with` statement: what is unfinished at the end is deleted, and a file that was
    in its place before stays.
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
        """Bytes that have arrived."""
        return self._opened.tell()

    def request_headers(self) -> dict[str, str]:
        """Return the headers that ask for what is missing.

        Without an entity tag nobody could tell whether the rest belongs to the same file.
        """
        headers = {"Accept-Encoding": "identity"}
        if self._entity_tag and self.size:
            headers |= {"Range": f"bytes={self.size}-", "If-Range": self._entity_tag}
        return headers

    def begin(self, response: httpx.Response) -> None:
        """Make ready for the body of an answer: the rest, or the whole from the start."""
        if response.status_code != httpx.codes.PARTIAL_CONTENT:
            self.restart()
        tag = response.headers.get("ETag", "")
        self._entity_tag = tag if tag.startswith('"') else None

    def write(self, piece: bytes) -> None:
        """Add what has arrived."""
        self._opened.write(piece)

    def restart(self) -> None:
        """Forget what has arrived."""
        self._entity_tag = None
        self._opened.seek(0)
        self._opened.truncate()

    def finish(self) -> Path:
        """Move the file to its place and return its path."""
        self._opened.flush()
        return self._partial.replace(self._path)

    @property
    def _opened(self) -> BufferedWriter:
        if self._file is None:
            raise ValueError(f"{self._partial} is written in a `with` statement only.")
        return self._file
