import pytest
from starlette.testclient import TestClient

from service.problems import ProblemType
from tests.fakes.backstage import Backstage
from tests.jobs_examples import new_job
from tests.unit.service.assertions import assert_problem


def samples(http: TestClient) -> dict[str, float]:
    lines = http.get("/metrics").text.splitlines()
    pairs = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    return {name: float(value) for name, value in pairs}


def test_the_liveness_probe_checks_no_component(http: TestClient, backstage: Backstage) -> None:
    backstage.store.is_down = backstage.storage.is_down = True
    assert http.get("/livez").json() == {"alive": True}


def test_the_service_is_ready_when_every_component_answers(http: TestClient) -> None:
    response = http.get("/readyz")
    assert (response.status_code, response.json()) == (200, {"store": True, "storage": True})


def test_a_service_that_is_not_ready_names_what_is_down(
    http: TestClient, backstage: Backstage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.readiness.FRESH_SECONDS", 0.0)
    backstage.storage.is_down = True
    response = http.get("/readyz")
    document = assert_problem(response, ProblemType.NOT_READY, "Unavailable: storage;")
    assert document["components"] == {"store": True, "storage": False}
    backstage.store.is_down = True
    assert_problem(http.get("/readyz"), ProblemType.NOT_READY, "Unavailable: store, storage;")


def test_a_read_only_store_is_reported_as_such(http: TestClient, backstage: Backstage) -> None:
    backstage.store.is_read_only = True
    response = http.get("/readyz")
    assert_problem(response, ProblemType.NOT_READY, "Unavailable: store (refuses writes);")
    assert response.json()["components"] == {"store": False, "storage": True}


def test_requests_are_counted_by_route_and_status_and_never_by_job(http: TestClient) -> None:
    http.get("/v1/jobs/job_one")
    http.get("/v1/jobs/job_two")
    http.get("/no/such/route")
    told = samples(http)
    labels = 'method="GET",route="/v1/jobs/{job_id}",status="404"'
    assert told[f"amigo_http_requests_total{{{labels}}}"] == 2
    labels = 'method="GET",route="other",status="404"'
    assert told[f"amigo_http_requests_total{{{labels}}}"] == 1
    labels = 'method="GET",route="/v1/jobs/{job_id}"'
    assert told[f"amigo_http_request_duration_seconds_count{{{labels}}}"] == 2
    assert not any("job_one" in name for name in told)


def test_an_unknown_method_gets_no_label_of_its_own(http: TestClient) -> None:
    http.request("BREW", "/v1/jobs")
    labels = 'method="OTHER",route="/v1/jobs",status="405"'
    assert samples(http)[f"amigo_http_requests_total{{{labels}}}"] == 1


def test_jobs_are_counted_by_status(http: TestClient, backstage: Backstage) -> None:
    for job in (new_job(), new_job()):
        backstage.store.jobs[job.id] = job
    told = samples(http)
    assert told['amigo_jobs{status="queued"}'] == 2
    assert told['amigo_jobs{status="processing"}'] == 0
    assert told["amigo_store_up"] == 1


def test_metrics_are_served_while_the_store_is_down(http: TestClient, backstage: Backstage) -> None:
    backstage.store.is_down = True
    told = samples(http)
    assert told["amigo_store_up"] == 0
    assert not any(name.startswith("amigo_jobs") for name in told)


def test_followers_are_counted(http: TestClient, backstage: Backstage) -> None:
    assert samples(http)["amigo_followers"] == 0
    with backstage.watcher.following("job_a"), backstage.watcher.following("job_b"):
        assert samples(http)["amigo_followers"] == 2
    assert samples(http)["amigo_followers"] == 0
