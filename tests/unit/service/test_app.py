"""Properties of every response, whichever route gives it."""

import json
import logging
from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from service.problems import ProblemType
from tests.fakes.backstage import Backstage
from tests.service_examples import upload
from tests.unit.service.assertions import assert_problem


def test_an_unknown_route_is_a_problem(http: TestClient) -> None:
    assert_problem(http.get("/v2/jobs"), ProblemType.ROUTE_NOT_FOUND, "GET /v2/jobs", "/docs")
    assert_problem(http.get("/web/nothing.js"), ProblemType.ROUTE_NOT_FOUND)


def test_an_unsupported_method_is_rejected_with_the_supported_ones(http: TestClient) -> None:
    response = http.put("/v1/jobs/job_x")
    assert_problem(response, ProblemType.METHOD_NOT_ALLOWED, "PUT", "DELETE, GET, HEAD")
    assert response.headers["allow"] == "DELETE, GET, HEAD"
    assert http.post("/web/app.js").headers["allow"] == "GET, HEAD"
    assert http.put("/v1/jobs/batch").headers["allow"] == "POST"


def test_a_crash_is_returned_as_a_problem_and_logged_once(
    http: TestClient,
    backstage: Backstage,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def crash() -> None:
        raise ZeroDivisionError("a secret of ours")

    monkeypatch.setattr(backstage.store, "ping", crash)
    response = http.get("/readyz")
    assert_problem(response, ProblemType.INTERNAL_ERROR)
    assert "secret" not in response.text
    (record,) = (record for record in caplog.records if record.exc_info)
    assert record.exc_info
    assert record.exc_info[0] is ZeroDivisionError


def test_a_declared_length_above_the_limit_is_refused_before_the_body_is_read(
    http: TestClient,
) -> None:
    def never_read() -> Iterator[bytes]:
        raise AssertionError("the body was read")
        yield b""

    response = http.post("/v1/jobs", content=never_read(), headers={"Content-Length": "1300001"})
    assert_problem(response, ProblemType.BODY_TOO_LARGE, "1300000 bytes")


def test_a_body_without_a_length_is_rejected_when_it_exceeds_the_limit(http: TestClient) -> None:
    request = http.build_request("POST", "/v1/jobs", files=upload())
    content_type = request.headers["content-type"]
    start = request.read()[:1000]

    def endless() -> Iterator[bytes]:
        yield start
        for _ in range(100):
            yield bytes(100_000)

    response = http.post("/v1/jobs", content=endless(), headers={"Content-Type": content_type})
    assert_problem(response, ProblemType.BODY_TOO_LARGE, "1300000 bytes")


@pytest.mark.parametrize(
    "path", ["/", "/docs", "/web/app.js", "/livez", "/v1/jobs/x", "/nowhere", "/openapi.json"]
)
def test_every_response_has_the_security_headers(http: TestClient, path: str) -> None:
    headers = http.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert "frame-ancestors 'none'" in policy


def test_the_page_runs_no_script_but_its_own(http: TestClient) -> None:
    response = http.get("/")
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    policy = response.headers["content-security-policy"]
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert "<script>" not in response.text
    assert "style=" not in response.text


def test_the_pages_find_their_scripts_and_styles(http: TestClient) -> None:
    for page in ("/", "/docs"):
        text = http.get(page).text
        links = [part.split('"')[0] for key in ('src="', 'href="') for part in text.split(key)[1:]]
        local = [link for link in links if link.startswith(("/web/", "/swagger/"))]
        assert local
        assert all(http.get(link).status_code == 200 for link in local)


def test_a_request_is_logged_on_one_line_without_its_query(
    http: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "service")
    response = http.get("/v1/jobs/job_x?note=secret")
    (record,) = (
        record for record in caplog.records if record.name == "service.middleware.observation"
    )
    fields = record.__dict__["fields"]
    assert fields["path"] == "/v1/jobs/job_x"
    assert (fields["method"], fields["status"]) == ("GET", 404)
    assert fields["request_id"] == response.headers["x-request-id"]
    assert "secret" not in json.dumps(fields)


def test_successful_reads_are_not_logged(
    http: TestClient, backstage: Backstage, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "service")
    http.get("/livez")
    http.get("/metrics")
    assert not caplog.records
    backstage.store.is_down = True
    http.get("/readyz")
    assert caplog.records
