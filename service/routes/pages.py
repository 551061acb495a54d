"""The pages for people: one to make a video, one to read about the API."""

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
# Swagger UI carries its pictures as data.
_DOCS_POLICY = _PAGE_POLICY.replace("img-src 'self'", "img-src 'self' data:")


@router.get("/")
async def read_page() -> FileResponse:
    """Return the page that makes a video."""
    return _page("index.html", _PAGE_POLICY)


@router.get("/docs")
async def read_docs() -> FileResponse:
    """Return the page that shows the OpenAPI document."""
    return _page("docs.html", _DOCS_POLICY)


def mount_assets(app: FastAPI) -> None:
    """Serve the pages' scripts and styles, Swagger UI's from the package that carries them."""
    app.mount("/web", _Assets(directory=WEB))
    app.mount("/swagger", _Assets(packages=[("fastapi_offline", "static")]))


class _Assets(StaticFiles):
    """Files that a browser may keep, and asks each time whether they have changed."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        answer = super().file_response(*args, **kwargs)
        answer.headers.update(_MAY_BE_KEPT)
        return answer


def _page(name: str, policy: str) -> FileResponse:
    headers = {"Content-Security-Policy": policy, **_MAY_BE_KEPT}
    return FileResponse(WEB / name, headers=headers, media_type="text/html")
