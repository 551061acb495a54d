"""Which other sites' pages may call the service from a browser (CORS)."""

from collections.abc import Sequence

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request

from service.problems import Problem, ProblemType
from service.settings import is_loopback

ACCEPTED = (
    "Authorization",
    "Content-Type",
    "Idempotency-Key",
    "If-None-Match",
    "If-Range",
    "Last-Event-ID",
    "Prefer",
    "Range",
)
"""Headers a page may send."""

EXPOSED = (
    "Accept-Ranges",
    "Content-Disposition",
    "Content-Range",
    "ETag",
    "Idempotent-Replayed",
    "Location",
    "Preference-Applied",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "WWW-Authenticate",
    "X-Request-ID",
)
"""Headers a page may read."""

PREFLIGHT_SECONDS = 3600


def allow_origins(app: FastAPI, origins: Sequence[str]) -> None:
    """Let pages of these origins call the app; a key goes in a header, so no cookies do."""
    if origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_methods=("GET", "HEAD", "POST", "DELETE"),
            allow_headers=ACCEPTED,
            expose_headers=EXPOSED,
            max_age=PREFLIGHT_SECONDS,
        )


def refuse_strange_pages(request: Request, origins: Sequence[str]) -> None:
    """Refuse what pages of other sites send to a system that asks for no key.

    Loopback keeps other machines out, not the pages that this machine's browsers show: any page
    may post a form to it, and one whose own name leads to it (DNS rebinding) may read as well.

    Raises:
        Problem: the request is for another name, or from a page of an origin that is not named.
    """
    if "host" in request.headers and not is_loopback(request.url.hostname or ""):
        raise Problem(
            ProblemType.ORIGIN_REFUSED,
            f"The request is for the host {_shown(request.url.hostname)}; a system that asks for "
            "no key answers to 127.0.0.1 and localhost alone.",
        )
    origin = request.headers.get("origin")
    # What follows the scheme is compared as it is: an origin that cannot be parsed is not ours.
    if origin is None or origin in origins or origin.partition("://")[2] == request.url.netloc:
        return
    raise Problem(
        ProblemType.ORIGIN_REFUSED,
        f"The page's origin is {_shown(origin)}; AMIGO_CORS_ORIGINS does not name it.",
    )


def _shown(text: str | None) -> str:
    return repr((text or "")[:60])
