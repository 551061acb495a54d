"""What a caller accepts, and how much: quality values (RFC 9110, section 12.4.2), and HEAD."""

import re
from functools import lru_cache

from starlette.types import Scope

_QUALITY = re.compile(r"\s*q\s*=\s*([01](?:\.[0-9]{0,3})?)\s*", re.IGNORECASE)


@lru_cache(maxsize=256)
def quality(header: str, name: str) -> float:
    """Return how much a header such as `Accept` prefers a media type or a coding, from 0 to 1.

    The most specific entry counts: the name itself, then `type/*`, then `*/*` or `*`. Names that
    the header does not mention have 0.
    """
    stars = (name, f"{name.partition('/')[0]}/*", "*/*" if "/" in name else "*")
    found = dict(map(_entry, header.lower().split(",")))
    return next((found[each] for each in stars if each in found), 0.0)


def is_head(scope: Scope) -> bool:
    """Return whether a request, routed as GET, is in fact HEAD."""
    return bool(scope["state"].get("is_head"))


def _entry(text: str) -> tuple[str, float]:
    name, *parameters = text.split(";")
    matches = filter(None, map(_QUALITY.fullmatch, parameters))
    return name.strip(), next((float(match[1]) for match in matches), 1.0)
