"""Errors for malformed forms."""

import pytest
from starlette.testclient import TestClient

from service.problems import ProblemType
from tests.service_examples import upload
from tests.unit.service.assertions import assert_problem


def test_an_option_that_is_too_long_is_named(http: TestClient) -> None:
    response = http.post("/v1/jobs", files=upload(metadata="x" * 20_000))
    assert_problem(response, ProblemType.MALFORMED_REQUEST, "metadata exceeds", "16384 bytes")


def test_a_file_name_that_is_too_long_is_reported_as_such(http: TestClient) -> None:
    response = http.post("/v1/jobs", files=upload(portrait=("x" * 5000 + ".jpg", b"face")))
    assert_problem(response, ProblemType.MALFORMED_REQUEST, "Maximum header size exceeded")


@pytest.mark.parametrize("body", [b"no boundary", b"--b\r\n: x\r\n"])
def test_a_body_that_is_no_form_is_told_where_it_is_wrong(http: TestClient, body: bytes) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    response = http.post("/v1/jobs", content=body, headers=headers)
    assert_problem(response, ProblemType.MALFORMED_REQUEST, "not valid multipart/form-data: ")
