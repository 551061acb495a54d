"""Security headers on every route, with every status, for every caller."""

from collections.abc import Iterator

import httpx2
import pytest
from playwright.sync_api import Browser
from starlette.routing import BaseRoute, Mount, Route
from starlette.testclient import TestClient

from jobs.errors import KeyInvalid
from jobs.valkey.api_keys import ApiKey
from jobs.values import utc_now
from service.app import create_app
from service.middleware.security_headers import HEADERS
from service.settings import ServiceSettings
from tests.browser import chromium, needs_chromium
from tests.fakes.backstage import Backstage
from tests.jobs_examples import new_job
from tests.processes import RunningService, running_service
from tests.service_examples import upload
from tests.unit.service.routes.test_results import finished
from tests.waiting import PATIENCE

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW")
SETTINGS = ServiceSettings(cors_origins=("https://app.example",))
GUARDED = SETTINGS.model_copy(update={"authentication": "keys"})
APP = create_app(SETTINGS)
"""The app of all tests, which give it components of their own."""

PAGE_DEVICES = "camera=(self), geolocation=(), microphone=(self)"
PRIVATE = ("no-store", "private, no-store", "private, no-cache")
"""Accepted cache directives for a job's data."""


def paths(routes: list[BaseRoute]) -> Iterator[str]:
    """Yield the path of every route, including those of routers and mounted folders."""
    for route in routes:
        if isinstance(route, Route):
            yield route.path
        elif isinstance(route, Mount):
            yield f"{route.path}/nothing.js"
        else:
            yield from paths(route.original_router.routes)  # type: ignore[attr-defined]


PATHS = sorted({*paths(APP.routes), "/nowhere", "//", "/v1/jobs/", "/%00"})


@pytest.fixture
def backstage() -> Backstage:
    return Backstage()


@pytest.fixture
def http(backstage: Backstage) -> Iterator[TestClient]:
    APP.state.components = backstage.components(SETTINGS)
    with TestClient(APP, base_url="http://127.0.0.1", follow_redirects=False) as client:
        yield client


def assert_bound(response: httpx2.Response) -> None:
    """Every security header is present once, with the required value."""
    for name, value in HEADERS.items():
        told = response.headers.get_list(name)
        assert len(told) == 1, (name, told)
        if name not in ("Content-Security-Policy", "Cache-Control"):
            # Only the page that films and records may ask for the devices.
            has_camera = 'id="camera"' in response.text or response.request.method == "HEAD"
            is_page = told == [PAGE_DEVICES] and has_camera
            assert told == [value] or is_page
    policy = response.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert "frame-ancestors 'none'" in policy
    assert "unsafe-eval" not in policy
    assert "script-src 'self'" in policy or "script-src" not in policy
    assert "server" not in response.headers
    assert "x-request-id" in response.headers


def test_every_route_is_covered() -> None:
    known = {"/", "/docs", "/openapi.json", "/metrics", "/v1/jobs/{job_id}/events", "/v1/assets"}
    assert known <= set(PATHS)
    assert len(PATHS) > 20


@pytest.mark.parametrize("path", PATHS)
def test_every_route_sends_security_headers_for_every_method(
    http: TestClient, backstage: Backstage, path: str
) -> None:
    ids = {"job_id": "job_x", "asset_id": "asset_x", "test_id": "test_x"}
    names = {**ids, "code": "job_not_found", "attempt": 1, "file": "media.m3u8"}
    filled = path.format(**names)
    assert "{" not in filled
    ended = new_job().cancel(utc_now()).model_copy(update={"id": "job_x"})
    backstage.store.jobs["job_x"] = ended
    for method in METHODS:
        response = http.request(method, filled)
        assert_bound(response)
        if filled.startswith("/v1"):
            assert response.headers["cache-control"] in PRIVATE


@pytest.mark.parametrize("path", [path for path in PATHS if path.startswith("/v1")])
def test_every_rejected_api_key_gets_security_headers(
    backstage: Backstage, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    APP.state.components = backstage.components(GUARDED)

    def refuse(_: str) -> ApiKey:
        raise KeyInvalid("The API key is unknown.")

    monkeypatch.setattr(APP.state.components.keys, "verify", refuse)
    with TestClient(APP, base_url="http://127.0.0.1", follow_redirects=False) as http:
        for headers in ({}, {"Authorization": "Bearer x"}):
            response = http.get(path, headers=headers)
            assert response.status_code in (401, 404, 405)
            assert_bound(response)


def test_files_are_served_with_security_headers_in_every_status(
    http: TestClient, backstage: Backstage
) -> None:
    path = finished(backstage, poster_key="poster", landmarks_key="landmarks")
    tag = http.get(f"{path}/video").headers["etag"]
    seen = set()
    for headers in ({}, {"Range": "bytes=0-9"}, {"Range": "bytes=900-"}, {"If-None-Match": tag}):
        for file in ("video", "poster", "landmarks", "video?download=true"):
            response = http.get(f"{path}/{file}", headers=headers)
            assert_bound(response)
            assert response.headers["cache-control"] in PRIVATE
            seen.add(response.status_code)
    backstage.storage.is_public = True
    redirect = http.get(f"{path}/video")
    assert_bound(redirect)
    assert redirect.headers["cache-control"] == "private, no-store"
    assert {*seen, redirect.status_code} == {200, 206, 304, 307, 416}


def test_every_kind_of_error_has_security_headers(
    http: TestClient, backstage: Backstage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object) -> None:
        raise ZeroDivisionError

    seen = [
        http.post("/v1/jobs", files=upload()),
        http.post("/v1/jobs", files=upload(seed="x")),
        http.post("/v1/jobs", content=b"x"),
        http.post("/v1/jobs", content=b"{", headers={"Content-Type": "application/json"}),
        http.post("/v1/jobs", content=b"x", headers={"Content-Length": "999999999"}),
        http.get("/v1/jobs", headers={"Origin": "https://evil.example"}),
        http.get("/v1/jobs", headers={"Host": "evil.example"}),
    ]
    backstage.storage.is_down = True
    seen.append(http.get("/readyz"))
    seen.append(http.post("/v1/jobs", files=upload()))
    backstage.asset_quota.is_used_up = True
    wanted = {"kind": "portrait", "size": 10, "content_type": "image/png"}
    seen.append(http.post("/v1/assets", json=wanted))
    monkeypatch.setattr(backstage.store, "ping", crash)
    monkeypatch.setattr("service.readiness.FRESH_SECONDS", 0.0)
    seen.append(http.get("/readyz"))
    for response in seen:
        assert_bound(response)
    statuses = [response.status_code for response in seen]
    assert statuses == [202, 422, 415, 400, 413, 403, 403, 503, 503, 429, 500]


def test_a_preflight_response_has_security_headers(http: TestClient) -> None:
    for origin in ("https://app.example", "https://evil.example"):
        asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
        assert_bound_but_unobserved(http.options("/v1/jobs", headers=asked))


def assert_bound_but_unobserved(response: httpx2.Response) -> None:
    for name, value in HEADERS.items():
        assert response.headers[name] == value


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_the_pages_allow_nothing_inline(http: TestClient, path: str) -> None:
    policy = http.get(path).headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "*" not in policy
    assert "http" not in policy


def test_the_pages_files_may_be_cached_but_are_revalidated(http: TestClient) -> None:
    for path in ("/", "/docs", "/web/app.js", "/swagger/swagger-ui.css"):
        assert http.get(path).headers["cache-control"] == "no-cache"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    nowhere = {
        "AMIGO_VALKEY_URL": "redis://127.0.0.1:1/0",
        "AMIGO_S3_ENDPOINT_URL": "http://127.0.0.1:1",
    }
    with running_service(nowhere, tmp_path_factory.mktemp("service") / "log.txt") as service:
        yield service


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@needs_chromium
@pytest.mark.parametrize(("path", "whole"), [("/", "form"), ("/docs", ".opblock-post")])
def test_a_browser_shows_the_pages_without_breaking_their_policy(
    service: RunningService, browser: Browser, path: str, whole: str
) -> None:
    page = browser.new_page()
    page.set_default_timeout(1000 * PATIENCE)
    page.add_init_script(
        "window.broken = []; addEventListener('securitypolicyviolation',"
        " violation => broken.push(violation.effectiveDirective))"
    )
    page.goto(service.url + path)
    page.locator(whole).first.click()
    assert page.evaluate("broken") == []
    # Violations are reported: an inline style.
    page.evaluate("document.body.innerHTML = '<p style=\"color: red\">'")
    page.wait_for_function("broken.length > 0")
    assert set(page.evaluate("broken")) == {"style-src-attr"}
    page.close()
