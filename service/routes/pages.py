"""The pages for people: one to make a video, one to read about the API."""

from pathlib import Path

from fastapi import APIRouter, FastAPI
from starlette.responses import FileResponse
from starlette.staticfiles import StaticFiles

router = APIRouter(include_in_schema=False)

WEB = Path(__file__).parents[1] / "web"

_PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "media-src 'self' blob:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; "
    "form-action 'self'"
)
# Swagger UI styles itself inline and carries its pictures as data.
_DOCS_POLICY = _PAGE_POLICY.replace(
    "style-src 'self'; img-src 'self'", "style-src 'self' 'unsafe-inline'; img-src 'self' data:"
)


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
    app.mount("/web", StaticFiles(directory=WEB))
    app.mount("/swagger", StaticFiles(packages=[("fastapi_offline", "static")]))


def _page(name: str, policy: str) -> FileResponse:
    headers = {"Content-Security-Policy": policy, "Cache-Control": "no-cache"}
    return FileResponse(WEB / name, headers=headers, media_type="text/html")
