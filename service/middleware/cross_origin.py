"""Cross-origin requests: which other sites' pages may call the service from a browser (CORS)."""

from collections.abc import Sequence

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request

from service.caller import service_url
from service.problems import Problem, ProblemType
from service.settings import is_loopback

ACCEPTED = (
    "Authorization",
    "Content-Type",
    "Idempotency-Key",
    "If-Match",
    "If-None-Match",
    "If-Range",
    "Last-Event-ID",
    "Prefer",
    "Range",
)
"""Request headers that pages may send."""

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
"""Response headers that pages may read."""

PREFLIGHT_SECONDS = 3600


def allow_origins(app: FastAPI, origins: Sequence[str]) -> None:
    """Allow pages of these origins to call the app. API keys go in a header, so cookies are not
    allowed.
    """
    if origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_methods=("GET", "HEAD", "POST", "DELETE"),
            allow_headers=ACCEPTED,
            expose_headers=EXPOSED,
            max_age=PREFLIGHT_SECONDS,
        )


def refuse_foreign_pages(request: Request, origins: Sequence[str]) -> None:
    """Reject requests from pages of other sites to a system without API keys.

    Loopback keeps other machines out, but not pages in this machine's browsers. Any page can post a
    form to it, and a page whose own host name resolves to it (DNS rebinding) can also read the
    response.

    Raises:
        Problem: the request is for another host, or from a page of an origin that is not listed.
    """
    url = service_url(request)
    if "host" in request.headers and not is_loopback(url.hostname or ""):
        raise Problem(
            ProblemType.ORIGIN_REFUSED,
            f"The request is for the host {_shown(url.hostname)}; without API keys, "
            "only 127.0.0.1 and localhost are accepted.",
        )
    origin = request.headers.get("origin")
    # Everything after the scheme is compared literally: an origin that cannot be parsed is not
    # ours.
    if origin is None or origin in origins or origin.partition("://")[2] == url.netloc:
        return
    raise Problem(
        ProblemType.ORIGIN_REFUSED,
        f"The origin {_shown(origin)} is not allowed; AMIGO_CORS_ORIGINS does not list it.",
    )


def _shown(text: str | None) -> str:
    return repr((text or "")[:60])
