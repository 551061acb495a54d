"""Every hostile request is sent, byte by byte, to a service as in production."""

import pytest

from tests.security.hostile import ACCEPTED
from tests.security.messages import JOB, SUCCESS, UNANSWERED, HostileRequest
from tests.security.requests import REQUESTS
from tests.security.target import ANSWER_SECONDS, Target
from tests.security.wire import WireAnswer, exchange
from tests.service_examples import upload


@pytest.fixture(scope="module")
def canceled(target: Target) -> bytes:
    """The id of an ended job."""
    location = target.http.post("/v1/jobs", files=upload()).headers["location"]
    assert target.http.post(f"{location}/cancel").is_success
    return location.rpartition("/")[2].encode()


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda request: request.name)
def test_a_hostile_request_gets_its_problem_and_does_no_harm(
    request_: HostileRequest, target: Target, canceled: bytes
) -> None:
    sent = request_.build().replace(JOB, canceled)
    with target.unharmed():
        response = exchange(target.service.port, sent, ANSWER_SECONDS, hangs_up=request_.hangs_up)
        if response and response.status == 202:
            target.forget(response.headers["location"])
    assert _outcome(response) == request_.expected, response
    for header in response.headers.items() if response else ():
        assert "injected" not in "".join(header).lower()


def _outcome(response: WireAnswer | None) -> str:
    if response is None:
        return UNANSWERED
    if response.status == 202:
        return ACCEPTED
    if response.status < 400:
        return SUCCESS
    document = response.json()
    assert response.headers["content-type"] == "application/problem+json"
    assert response.status == document["status"] < 500, document
    return str(document["code"])
