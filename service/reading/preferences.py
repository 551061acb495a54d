"""What a caller would rather have: the Prefer header (RFC 7240)."""

import re
from collections.abc import Iterable

MAX_WAIT = 60
"""Longest time an answer is held back, in seconds."""

_WAIT = re.compile(r'\s*wait\s*=\s*"?([0-9]{1,9})"?\s*(;.*)?', re.IGNORECASE)


def preferred_wait(headers: Iterable[str]) -> int | None:
    """Return the seconds for which an answer may be held back, at most MAX_WAIT; None: unsaid.

    Of several the first counts; what is not understood is ignored, as the RFC asks.
    """
    preferences = (each for header in headers for each in header.split(","))
    for match in filter(None, map(_WAIT.fullmatch, preferences)):
        return min(int(match[1]), MAX_WAIT)
    return None
