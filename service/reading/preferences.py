"""Preferences of a caller: the Prefer header (RFC 7240)."""

import re
from collections.abc import Iterable

MAX_WAIT = 60
"""Longest time for which a response can be delayed, in seconds."""

_WAIT = re.compile(r'\s*wait\s*=\s*"?([0-9]{1,9})"?\s*(;.*)?', re.IGNORECASE)


def preferred_wait(headers: Iterable[str]) -> int | None:
    """Return the requested wait in seconds, at most MAX_WAIT; None if there is none.

    The first of several counts; unknown preferences are ignored, as the RFC requires.
    """
    preferences = (each for header in headers for each in header.split(","))
    for match in filter(None, map(_WAIT.fullmatch, preferences)):
        return min(int(match[1]), MAX_WAIT)
    return None
