"""The web pages: to create videos, to watch over the service, and the API documentation."""

from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI
from starlette.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles

router = APIRouter(include_in_schema=False)

WEB = Path(__file__).parents[1] / "web"

_MAY_BE_KEPT = {"Cache-Control": "no-cache"}
_PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "media-src 'self' blob:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; "
    "form-action 'self'"
)
_DEVICES = {"Permissions-Policy": "camera=(self), geolocation=(), microphone=(self)"}

# Swagger UI embeds its images as data URLs.
_DOCS_POLICY = _PAGE_POLICY.replace("img-src 'self'", "img-src 'self' data:")


@router.get("/")
async def read_page() -> FileResponse:
    """Return the page that creates a video, from files, the camera or the microphone."""
    return _page("index.html", _PAGE_POLICY, **_DEVICES)


@router.get("/ops")
async def read_ops() -> FileResponse:
    """Return the page that shows the state of the service to its operators."""
    return _page("ops.html", _PAGE_POLICY)


@router.get("/docs")
async def read_docs() -> FileResponse:
    """Return the page that shows the OpenAPI document."""
    return _page("docs.html", _DOCS_POLICY)


def mount_assets(app: FastAPI) -> None:
    """Serve the pages' scripts and styles; Swagger UI's come from its package."""
    app.mount("/web", _Assets(directory=WEB))
    app.mount("/swagger", _Assets(packages=[("fastapi_offline", "static")]))


class _Assets(StaticFiles):
    """Files that browsers may cache but must revalidate."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers.update(_MAY_BE_KEPT)
        return response


def _page(name: str, policy: str, **more: str) -> FileResponse:
    headers = {"Content-Security-Policy": policy, **_MAY_BE_KEPT, **more}
    return FileResponse(WEB / name, headers=headers, media_type="text/html")
