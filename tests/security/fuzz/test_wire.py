"""Damaged requests, byte by byte, to a service as in production."""

from hypothesis import given

from tests.security.fuzz.budget import budget
from tests.security.fuzz.mutations import mutated
from tests.security.requests import REQUESTS
from tests.security.target import Target
from tests.security.wire import exchange

PATIENCE = 0.2
"""Seconds, after which a service may stop waiting for the rest of a damaged request."""

SMALL = tuple(request.build for request in REQUESTS if len(request.build()) < 50_000)


@budget
@given(sent=mutated(SMALL))
def test_a_damaged_request_is_answered_or_waited_for(target: Target, sent: bytes) -> None:
    try:
        response = exchange(target.service.port, sent, PATIENCE)
    except (TimeoutError, ConnectionResetError):
        response = None
    if response and response.status >= 400:
        assert response.status == response.json()["status"] < 500, response
    assert target.http.get("/livez").is_success
