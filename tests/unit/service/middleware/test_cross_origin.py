"""Pages of other sites and a system without API keys."""

import pytest
from starlette.testclient import TestClient

from service.problems import ProblemType
from service.settings import ServiceSettings
from tests.fakes.backstage import Backstage
from tests.service_examples import upload
from tests.unit.service.assertions import assert_problem


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://127.0.0.1:81", "x", "http://["]
)
def test_a_form_on_another_site_cannot_create_a_job(
    http: TestClient, backstage: Backstage, origin: str
) -> None:
    response = http.post("/v1/jobs", files=upload(), headers={"Origin": origin})
    assert_problem(response, ProblemType.ORIGIN_REFUSED, origin)
    assert not backstage.store.jobs


def test_the_systems_own_page_can_create_jobs(http: TestClient) -> None:
    response = http.post("/v1/jobs", files=upload(), headers={"Origin": "http://127.0.0.1"})
    assert response.status_code == 202


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:8000", "10.0.0.1"])
def test_a_host_name_rebound_to_loopback_is_rejected(http: TestClient, host: str) -> None:
    response = http.get("/v1/jobs/job_x", headers={"Host": host})
    assert_problem(response, ProblemType.ORIGIN_REFUSED, host.partition(":")[0])


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1", "[::1]:8000"])
def test_every_loopback_host_name_is_accepted(http: TestClient, host: str) -> None:
    response = http.get("/v1/jobs/job_x", headers={"Host": host})
    assert_problem(response, ProblemType.JOB_NOT_FOUND)


def test_a_page_of_a_listed_origin_may_call(
    backstage: Backstage, service_settings: ServiceSettings
) -> None:
    origin = "http://localhost:3000"
    settings = service_settings.model_copy(update={"cors_origins": (origin,)})
    with TestClient(backstage.app(settings), base_url="http://127.0.0.1:8000") as http:
        response = http.post("/v1/jobs", files=upload(), headers={"Origin": origin})
    assert response.status_code == 202
    assert response.headers["access-control-allow-origin"] == origin
