"""Conditional and range requests: entity tags and byte ranges (RFC 9110)."""

import hashlib
import re
from dataclasses import dataclass

# Possessive quantifiers avoid backtracking over all ways to split many spaces.
_SINGLE_RANGE = re.compile(r"bytes\s*+=\s*+([0-9]{0,18})\s*+-\s*+([0-9]{0,18})", re.IGNORECASE)

_ENTITY_TAG = re.compile(r'(?:W/)?"[^"]*+"')


class RangeNotSatisfiable(ValueError):
    """The range starts after the last byte."""


@dataclass(frozen=True)
class ByteRange:
    """Bytes from `start` to `end`, both inclusive."""

    start: int
    end: int

    def __len__(self) -> int:
        return self.end - self.start + 1


def entity_tag(content: bytes) -> str:
    """Return a strong tag that changes with the content."""
    return f'"{hashlib.sha256(content).hexdigest()[:32]}"'


def is_unchanged(if_none_match: str | None, tag: str) -> bool:
    """Return whether an If-None-Match header contains the tag, so that the response is 304."""
    if if_none_match is None:
        return False
    known = {candidate.strip().removeprefix("W/") for candidate in if_none_match.split(",")}
    return tag.removeprefix("W/") in known or "*" in known


def is_current(if_match: str, tag: str) -> bool:
    """Return whether an If-Match header contains the strong tag, or `*`, by strong comparison: a
    weak tag never matches.
    """
    return if_match.strip() == "*" or tag in _ENTITY_TAG.findall(if_match)


def requested_range(
    header: str | None, if_range: str | None, tag: str, size: int
) -> ByteRange | None:
    """Return the range that a Range header requests from `size` bytes, or None for all of them.

    Multiple ranges, other units and invalid values mean the whole file, as the RFC allows; so does
    an If-Range with another version.

    Raises:
        RangeNotSatisfiable: the range contains no byte of the file.
    """
    match = _SINGLE_RANGE.fullmatch(header.strip()) if header else None
    if match is None or (if_range is not None and if_range.strip() != tag):
        return None
    first, last = match.groups()
    if not first:
        return _last_bytes(last, size)
    start, end = int(first), min(int(last), size - 1) if last else size - 1
    if last and int(last) < start:
        return None
    if start >= size:
        raise RangeNotSatisfiable(f"bytes from {start} on")
    return ByteRange(start, end)


def _last_bytes(count: str, size: int) -> ByteRange | None:
    if not count:
        return None
    if int(count) == 0 or size == 0:
        raise RangeNotSatisfiable(f"the last {int(count)} bytes")
    return ByteRange(max(0, size - int(count)), size - 1)
