"""HEAD is answered wherever GET is: the same status and headers, no body."""

import pytest
from starlette.testclient import TestClient

from tests.fakes.backstage import Backstage
from tests.jobs_examples import new_job


@pytest.mark.parametrize(
    "path",
    ["/", "/livez", "/metrics", "/problems", "/openapi.json", "/web/app.js", "/v1/jobs/{id}"],
)
def test_head_has_the_headers_of_get(http: TestClient, backstage: Backstage, path: str) -> None:
    job = new_job()
    backstage.store.jobs[job.id] = job
    head, get = (http.request(method, path.format(id=job.id)) for method in ("HEAD", "GET"))
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["Content-Type"] == get.headers["Content-Type"]
    assert head.headers.keys() == get.headers.keys()


def test_head_of_an_event_stream_ends_at_once(http: TestClient, backstage: Backstage) -> None:
    job = new_job()
    backstage.store.jobs[job.id] = job
    response = http.head(f"/v1/jobs/{job.id}/events")
    assert response.headers["Content-Type"].startswith("text/event-stream")


def test_head_where_there_is_no_get_is_refused(http: TestClient) -> None:
    response = http.head("/v1/jobs/job_x/cancel")
    assert (response.status_code, response.headers["Allow"]) == (405, "POST")
    assert http.post("/livez").headers["Allow"] == "GET, HEAD"
