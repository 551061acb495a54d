"""The OpenAPI document, operation by operation."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import jsonschema
import pytest
from starlette.testclient import TestClient

from jobs.options import Options
from service.app import create_app
from service.intake.requests import JobRequest
from service.problems import MEDIA_TYPE, ProblemType
from service.settings import ServiceSettings

DOCUMENT: dict[str, Any] = create_app(ServiceSettings()).openapi()

OUTSIDE = {
    ProblemType.METHOD_NOT_ALLOWED,
    ProblemType.REPEATED_PART,
    ProblemType.HEADERS_TOO_LARGE,
    ProblemType.SHUTTING_DOWN,
}
"""Problems of requests for which the document has no entry."""

EVERYWHERE = {"internal_error"}
GUARDED = {"key_missing", "key_invalid", "scope_missing", "rate_limited", "store_unavailable"}


@dataclass(frozen=True)
class Operation:
    method: str
    path: str
    content: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.method.upper()} {self.path}"

    @property
    def problems(self) -> set[str]:
        """The documented codes."""
        return {
            code
            for response in self.content["responses"].values()
            for code in response.get("content", {}).get(MEDIA_TYPE, {}).get("examples", ())
        }

    def bodies(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield the parameters, bodies and responses of an operation, with their location."""
        for media_type, body in self.content.get("requestBody", {}).get("content", {}).items():
            yield f"request {media_type}", body
        for status, response in self.content["responses"].items():
            for media_type, body in response.get("content", {}).items():
                if media_type != MEDIA_TYPE:
                    yield f"{status} {media_type}", body


OPERATIONS = [
    Operation(method, path, content)
    for path, methods in DOCUMENT["paths"].items()
    for method, content in methods.items()
]

each_operation = pytest.mark.parametrize("operation", OPERATIONS, ids=str)


@each_operation
def test_every_operation_has_a_description(operation: Operation) -> None:
    assert operation.content["summary"]
    assert operation.content["description"]
    assert operation.content["tags"][0] in {tag["name"] for tag in DOCUMENT["tags"]}


@each_operation
def test_each_parameter_is_described_with_an_example_that_fits(operation: Operation) -> None:
    for parameter in operation.content.get("parameters", ()):
        assert parameter["description"], parameter["name"]
        assert_fits(parameter["example"], parameter["schema"])


@each_operation
def test_each_response_is_described_with_its_headers(operation: Operation) -> None:
    for status, response in operation.content["responses"].items():
        assert response["description"] not in ("", "Successful Response"), status
        for name, header in response["headers"].items():
            described = DOCUMENT["components"]["headers"][name] if "$ref" in header else header
            assert described["description"]


@each_operation
def test_what_goes_in_and_out_has_an_example_that_fits(operation: Operation) -> None:
    for where, body in operation.bodies():
        schema = body.get("schema", {})
        if schema.get("format") == "binary" or where.startswith("206"):
            continue
        assert "example" in body, where
        assert_fits(body["example"], schema)


@each_operation
def test_an_operation_documents_the_problems_of_its_kind(operation: Operation) -> None:
    expected = set(EVERYWHERE)
    if operation.content["security"]:
        expected |= GUARDED
    if "{job_id}" in operation.path:
        expected.add("job_not_found")
    if operation.content.get("requestBody"):
        expected |= {"invalid_request", "body_too_large"}
    assert expected <= operation.problems, expected - operation.problems


def test_every_problem_is_documented_by_an_operation() -> None:
    told = {code for operation in OPERATIONS for code in operation.problems}
    assert told | {each.code for each in OUTSIDE} == {each.code for each in ProblemType}


@each_operation
def test_a_problem_is_documented_under_its_status(operation: Operation) -> None:
    for status, response in operation.content["responses"].items():
        problem = response.get("content", {}).get(MEDIA_TYPE, {"examples": {}})
        for code, example in problem["examples"].items():
            assert str(ProblemType.with_code(code).status) == status
            assert_fits(example["value"], problem["schema"])


def test_an_operation_is_named_after_its_function() -> None:
    names = [operation.content["operationId"] for operation in OPERATIONS]
    assert {"create_job", "read_job", "follow_job", "read_video"} <= set(names)
    assert len(set(names)) == len(names)


def test_every_option_is_documented_with_the_files() -> None:
    form = DOCUMENT["components"]["schemas"]["JobForm"]
    assert set(form["properties"]) == {"portrait", "audio", *JobRequest.model_fields}
    assert set(Options.model_fields) <= set(form["properties"])


@each_operation
def test_an_operation_takes_one_content_type(operation: Operation) -> None:
    # Most generators of clients ignore all but one.
    assert len(operation.content.get("requestBody", {}).get("content", {})) <= 1


@pytest.mark.parametrize("name", ["JobForm", "JobRequest", "Options"])
def test_enums_are_named_once_and_consent_is_a_plain_boolean(name: str) -> None:
    properties = DOCUMENT["components"]["schemas"][name]["properties"]
    assert properties["emotion"]["$ref"].endswith("/EmotionChoice")
    assert properties["consent"]["type"] == "boolean"
    assert "const" not in properties["consent"]


def test_open_routes_require_no_key() -> None:
    security = {str(each): each.content["security"] for each in OPERATIONS}
    assert security["GET /livez"] == []
    assert security["POST /v1/jobs"] == [{"HTTPBearer": []}]


def test_the_document_is_served(http: TestClient) -> None:
    assert http.get("/openapi.json").json()["paths"].keys() == DOCUMENT["paths"].keys()


def assert_fits(value: object, schema: dict[str, Any]) -> None:
    jsonschema.validate(value, {**schema, "components": DOCUMENT["components"]})


def test_no_two_schemas_share_a_name() -> None:
    """The framework would then put their modules into the names of generated types."""
    assert [name for name in DOCUMENT["components"]["schemas"] if "__" in name] == []
