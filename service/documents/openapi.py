"""The parts of the OpenAPI document that the framework cannot derive."""

from collections.abc import Iterator
from itertools import groupby
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic import BaseModel

from service.documents.examples import ANSWERS, PARAMETERS, REQUESTS, problem_example
from service.documents.schemas import AssetRequest, ProblemDocument
from service.intake.requests import INPUTS, MAX_BATCH, JobRequest
from service.problems import MEDIA_TYPE, ProblemType

TITLE = "AMIGO"
DESCRIPTION = """
Turn a portrait and a speech clip into a talking-face video with matching lips and emotion.

POST both files to `/v1/jobs`, follow `Location` until `status` is `succeeded`, then download
`links.video`. Errors are problem details (RFC 9457) with a stable `code`.
"""
TAGS = [
    {"name": "jobs", "description": "Create, follow and download videos."},
    {"name": "assets", "description": "Upload files once and use them in several jobs."},
    {"name": "operations", "description": "Health, metrics and documentation."},
]

Responses = dict[int | str, dict[str, Any]]

_COMPONENTS = "#/components/schemas/{model}"

_PROBLEM_HEADERS = {
    401: {"WWW_Authenticate": "How to send an API key (RFC 6750)."},
    403: {"WWW_Authenticate": "The required scope (RFC 6750)."},
    416: {"Content_Range": "The size of the file: `bytes */12345`."},
    429: {"Retry_After": "Seconds to wait before retrying the request."},
    503: {"Retry_After": "Seconds to wait before retrying the request."},
}
"""Headers of all problems with a given status."""


def operation_id(route: APIRoute) -> str:
    """Return a route's operation id for generated clients: the name of its function."""
    return route.name


def openapi_document(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI document, without the framework's validation errors.

    Ours are problems, documented for each route.
    """
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title,
            version=app.version,
            description=app.description,
            routes=app.routes,
            tags=TAGS,
        )
        schemas = document["components"]["schemas"]
        for name in ("HTTPValidationError", "ValidationError"):
            schemas.pop(name, None)
        for model in (JobRequest, AssetRequest, ProblemDocument):
            schemas.update(_with_parts(model))
        for operation in _operations(document):
            _complete(operation)
        app.openapi_schema = document
    return app.openapi_schema


def problem_responses(*types: ProblemType) -> Responses:
    """Return the documentation of a route's problems, grouped by status."""
    by_status = groupby(sorted(types, key=_status), key=_status)
    return {status: _problem_response(status, list(group)) for status, group in by_status}


def response_headers(**descriptions: str) -> dict[str, Any]:
    """Return the documentation of response headers, given with underscores for hyphens."""
    return {
        "headers": {
            name.replace("_", "-"): {"description": description, "schema": {"type": "string"}}
            for name, description in descriptions.items()
        }
    }


def job_request_body() -> dict[str, Any]:
    """Return the documentation of the body that creates a job, a form or JSON."""
    request = JobRequest.model_json_schema(ref_template=_COMPONENTS)
    del request["$defs"]
    files = {
        "portrait": _file("JPEG, PNG, WEBP, HEIC or AVIF with one face looking at the camera."),
        "audio": _file("WAV, MP3, AAC, FLAC, OGG, M4A, MP4, MOV or WEBM with speech."),
    }
    fields = {name: _without_null(schema) for name, schema in request["properties"].items()}
    form = {**request, "properties": {**files, **fields}, **_one_source("")}
    body = _body({"multipart/form-data": form, "application/json": _job_request()})
    body["requestBody"]["content"]["multipart/form-data"]["encoding"] = {
        "portrait": {"contentType": "image/jpeg, image/png, image/webp"},
        "audio": {"contentType": "audio/*, video/*"},
    }
    return body


def batch_request_body() -> dict[str, Any]:
    """Return the documentation of the body that creates several jobs."""
    other = {
        "type": "object",
        "description": "Each request is validated on its own, whatever happens to the others.",
    }
    request = {"anyOf": [_job_request(), other]}
    jobs = {"type": "array", "items": request, "minItems": 1, "maxItems": MAX_BATCH}
    schema = {
        "type": "object",
        "properties": {"jobs": jobs},
        "required": ["jobs"],
        "additionalProperties": False,
    }
    return _body({"application/json": schema})


def asset_request_body() -> dict[str, Any]:
    """Return the documentation of the body that registers an asset."""
    return _body({"application/json": {"$ref": _COMPONENTS.format(model=AssetRequest.__name__)}})


def _job_request() -> dict[str, Any]:
    return {"$ref": _COMPONENTS.format(model=JobRequest.__name__)}


def _one_source(*also: str) -> dict[str, Any]:
    """Return the schema rule that each input is given in exactly one way; null does not count."""
    ways = (*also, "_url", "_asset")
    return {"allOf": [{"oneOf": [_given(f"{name}{way}") for way in ways]} for name in INPUTS]}


def _given(name: str) -> dict[str, Any]:
    return {"required": [name], "properties": {name: {"type": "string"}}}


def _with_parts(model: type[BaseModel]) -> dict[str, Any]:
    """Return the schemas of a model and its parts, by name."""
    schema = model.model_json_schema(ref_template=_COMPONENTS)
    parts: dict[str, Any] = schema.pop("$defs", {})
    if model is JobRequest:
        schema |= _one_source()
    return {**parts, model.__name__: schema}


def _body(schemas: dict[str, Any]) -> dict[str, Any]:
    content = {media_type: {"schema": schema} for media_type, schema in schemas.items()}
    return {"requestBody": {"required": True, "content": content}}


def _operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path in document["paths"].values():
        yield from path.values()


def _complete(operation: dict[str, Any]) -> None:
    """Add the examples and what all operations have in common."""
    name, responses = operation["operationId"], operation["responses"]
    if responses.get("422", {}).get("description") == "Validation Error":
        del responses["422"]
    for status, response in problem_responses(ProblemType.INTERNAL_ERROR).items():
        responses[str(status)] = response
    for parameter in operation.get("parameters", ()):
        schema = _without_null(parameter["schema"])
        # A header that can be repeated is documented as a single string.
        is_header = parameter["in"] == "header"
        parameter["schema"] = schema.get("items", schema) if is_header else schema
        parameter["example"] = PARAMETERS[parameter["name"]]
    for media_type, example in REQUESTS.get(name, {}).items():
        operation["requestBody"]["content"][media_type]["example"] = example
    for status, example in ANSWERS.get(name, {}).items():
        next(iter(responses[status]["content"].values()))["example"] = example


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a string that can be omitted but is never null."""
    kinds = [each for each in schema.get("anyOf", ()) if each != {"type": "null"}]
    if len(kinds) != 1:
        return schema
    rest = {key: value for key, value in schema.items() if key not in ("anyOf", "default")}
    return {**kinds[0], **rest}


def _status(problem_type: ProblemType) -> int:
    return problem_type.status


def _file(description: str) -> dict[str, str]:
    return {"type": "string", "format": "binary", "description": description}


def _problem_response(status: int, types: list[ProblemType]) -> dict[str, Any]:
    return {
        "description": "; ".join(f"{each.title} (`{each.code}`)" for each in types),
        "content": {
            MEDIA_TYPE: {
                "schema": {"$ref": _COMPONENTS.format(model=ProblemDocument.__name__)},
                "examples": {each.code: {"value": problem_example(each)} for each in types},
            }
        },
        **response_headers(**_PROBLEM_HEADERS.get(status, {})),
    }
