"""The parts of the OpenAPI document that the framework cannot derive."""

from itertools import groupby
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from service.problems import MEDIA_TYPE, ProblemType, problem_type_path
from service.requests import MAX_BATCH, JobRequest
from service.schemas import ProblemDocument

TITLE = "AMIGO"
DESCRIPTION = """
A portrait and a speech clip go in; a video whose lips and emotion follow the speech comes out.

POST both files to `/v1/jobs`, follow `Location` until `status` is `succeeded`, then get
`links.video`. Whatever goes wrong is told as problem details (RFC 9457) with a stable `code`.
"""

Responses = dict[int | str, dict[str, Any]]


def openapi_document(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI document, without the validation errors that the framework adds.

    Ours are problems, and documented where they can happen.
    """
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes
        )
        for path in document["paths"].values():
            for operation in path.values():
                if _is_added(operation["responses"].get("422", {})):
                    del operation["responses"]["422"]
        for name in ("HTTPValidationError", "ValidationError"):
            document["components"]["schemas"].pop(name, None)
        app.openapi_schema = document
    return app.openapi_schema


def problem_responses(*types: ProblemType) -> Responses:
    """Return the documentation of the problems a route answers with, grouped by status."""
    by_status = groupby(sorted(types, key=_status), key=_status)
    return {status: _problem_response(list(group)) for status, group in by_status}


def response_headers(**descriptions: str) -> dict[str, Any]:
    """Return the documentation of an answer's headers, their names' hyphens as underscores."""
    return {
        "headers": {
            name.replace("_", "-"): {"description": description, "schema": {"type": "string"}}
            for name, description in descriptions.items()
        }
    }


def job_request_body() -> dict[str, Any]:
    """Return the documentation of the body that makes a job, a form or JSON."""
    request = _request_schema()
    files = {
        "portrait": _file("JPEG, PNG or WEBP with one face that looks at the camera."),
        "audio": _file("WAV, MP3, FLAC, OGG, M4A, MP4 or WEBM with speech."),
    }
    form = {**request, "properties": {**files, **request["properties"]}}
    return _body({"multipart/form-data": form, "application/json": request})


def batch_request_body() -> dict[str, Any]:
    """Return the documentation of the body that makes many jobs."""
    jobs = {"type": "array", "items": _request_schema(), "minItems": 1, "maxItems": MAX_BATCH}
    schema = {"type": "object", "properties": {"jobs": jobs}, "required": ["jobs"]}
    return _body({"application/json": schema})


def _request_schema() -> dict[str, Any]:
    schema = JobRequest.model_json_schema()
    # The document's own references lead to its own components.
    priority = schema.pop("$defs")["Priority"]
    schema["properties"]["priority"] = {**priority, "default": "normal"}
    return schema


def _body(schemas: dict[str, Any]) -> dict[str, Any]:
    content = {media_type: {"schema": schema} for media_type, schema in schemas.items()}
    return {"requestBody": {"required": True, "content": content}}


def _is_added(response: dict[str, Any]) -> bool:
    return response.get("description") == "Validation Error"


def _status(problem_type: ProblemType) -> int:
    return problem_type.status


def _file(description: str) -> dict[str, str]:
    return {"type": "string", "format": "binary", "description": description}


def _problem_response(types: list[ProblemType]) -> dict[str, Any]:
    return {
        "description": "; ".join(f"{each.title} (`{each.code}`)" for each in types),
        "content": {
            MEDIA_TYPE: {
                "schema": ProblemDocument.model_json_schema(),
                "examples": {each.code: {"value": _example(each)} for each in types},
            }
        },
    }


def _example(problem_type: ProblemType) -> dict[str, Any]:
    return {
        "type": problem_type_path(problem_type),
        "title": problem_type.title,
        "status": problem_type.status,
        "detail": "A sentence that says what was given and what is accepted.",
        "instance": "urn:uuid:6f0e3a52-1f6e-4b4e-9b53-3a1c8f0c9a11",
        "code": problem_type.code,
    }
