"""Checks for every error response."""

from typing import Any, Protocol

from service.problems import ProblemType


class Answer(Protocol):
    @property
    def status_code(self) -> int: ...

    @property
    def headers(self) -> Any: ...

    def json(self) -> Any: ...


def assert_problem(response: Answer, problem_type: ProblemType, *said: str) -> dict[str, Any]:
    """Check a problem completely, and that its detail contains some words; return its document."""
    document: dict[str, Any] = response.json()
    assert document["code"] == problem_type.code, document
    assert response.status_code == document["status"] == problem_type.status
    assert response.headers["content-type"] == "application/problem+json"
    assert document["type"] == f"/problems/{problem_type.code}"
    assert document["title"] == problem_type.title
    assert document["instance"] == f"urn:uuid:{response.headers['x-request-id']}"
    for words in said:
        assert words in document["detail"], document
    return document
