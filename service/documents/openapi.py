"""The parts of the OpenAPI document that the framework cannot derive."""

from collections.abc import Iterator
from itertools import groupby
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic import BaseModel
from pydantic_core import to_json

from media.accepted import PICTURES, RECORDINGS, listed
from service.documents.examples import (
    PARAMETERS,
    REQUESTS,
    RESPONSES,
    WEBHOOK,
    problem_example,
)
from service.documents.schemas import (
    AssetRequest,
    ProblemDocument,
    TokenRequest,
    WebhookTestRequest,
)
from service.intake.requests import MAX_BATCH, CheckRequest, JobRequest
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
    {"name": "webhooks", "description": "Get notified when your jobs end."},
    {"name": "usage", "description": "See your usage and your remaining limits."},
    {"name": "operations", "description": "Health, metrics and documentation."},
]

Responses = dict[int | str, dict[str, Any]]

URL_TOKEN = "UrlToken"  # noqa: S105 - a name
"""Name of the security scheme for tokens in URLs."""

_COMPONENTS = "#/components/schemas/{model}"
_FORM, _CHECK_FORM = "JobForm", "CheckForm"
_FILE_ENCODINGS = {
    "portrait": {"contentType": ", ".join(each.media_types[0] for each in PICTURES)},
    "audio": {"contentType": "audio/*, video/*"},
}

LICENSE = {"name": "Apache-2.0", "identifier": "Apache-2.0"}

_HEADERS = {
    "X-Request-ID": "Identifies the request in the service's log.",
    "Cache-Control": "Whether and how the response may be cached.",
    "RateLimit": "The remaining limits (draft-ietf-httpapi-ratelimit-headers).",
    "RateLimit-Policy": (
        "The limits of the API key: `requests` a minute, and `jobs` a day where jobs are created; "
        "absent if the API key has no limits."
    ),
}
"""Headers that do not depend on the operation; the last two are sent to callers with an API key."""

_PROBLEM_HEADERS = {
    401: {"WWW_Authenticate": "How to send an API key (RFC 6750)."},
    403: {"WWW_Authenticate": "The required scope (RFC 6750)."},
    405: {"Allow": "The methods of the path."},
    412: {"ETag": "The entity tag of the current version."},
    415: {
        "Accept": "The accepted content types.",
        "Accept_Encoding": "The accepted content encoding, `identity`.",
    },
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

    Each route documents its problems instead.
    """
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title,
            version=app.version,
            description=app.description,
            routes=app.routes,
            webhooks=app.webhooks.routes,
            tags=TAGS,
            servers=[{"url": "/", "description": "The service that serves this document."}],
            license_info=LICENSE,
        )
        schemas = document["components"]["schemas"]
        document["components"]["headers"] = {
            name: {"description": description, "schema": {"type": "string"}}
            for name, description in _HEADERS.items()
        }
        for name in ("HTTPValidationError", "ValidationError"):
            schemas.pop(name, None)
        for model in (JobRequest, AssetRequest, TokenRequest, WebhookTestRequest, ProblemDocument):
            schemas.update(_with_parts(model))
        schemas |= {_FORM: _form(), _CHECK_FORM: _check_form()}
        for method, operation in _operations(document):
            _complete(method, operation)
        _complete_webhooks(document)
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


def job_form_body() -> dict[str, Any]:
    """Return the documentation of the form that creates a job."""
    body = _body({"multipart/form-data": {"$ref": _COMPONENTS.format(model=_FORM)}})
    body["requestBody"]["content"]["multipart/form-data"]["encoding"] = {
        **_FILE_ENCODINGS,
        "metadata": {"contentType": "application/json"},
    }
    return body


def check_form_body() -> dict[str, Any]:
    """Return the documentation of the form with files to check."""
    body = _body({"multipart/form-data": {"$ref": _COMPONENTS.format(model=_CHECK_FORM)}})
    body["requestBody"]["content"]["multipart/form-data"]["encoding"] = _FILE_ENCODINGS
    return body


def _form() -> dict[str, Any]:
    """Return the schema of the form that creates a job.

    Every field is listed in one object, and none excludes another: most client generators
    cannot express that each input is given in exactly one way.
    """
    form = JobRequest.model_json_schema(ref_template=_COMPONENTS)
    del form["$defs"]
    fields = {name: _without_null(schema) for name, schema in form["properties"].items()}
    return {
        **form,
        "title": _FORM,
        "description": "All fields of a request, files included.",
        "properties": {**_files(), **_optional(fields)},
    }


def _check_form() -> dict[str, Any]:
    """Return the schema of the form with files to check."""
    form = CheckRequest.model_json_schema()
    return {
        **form,
        "title": _CHECK_FORM,
        "description": "A portrait, a recording, or both.",
        "properties": {**_files(), **_optional(form["properties"])},
    }


def _files() -> dict[str, dict[str, str]]:
    return {
        "portrait": _file(f"{listed(PICTURES)} with one face looking at the camera."),
        "audio": _file(f"{listed(RECORDINGS)} with speech."),
    }


def _optional(fields: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the fields of a request, with their defaults in the descriptions.

    Client generators make a field with a `default` a required one.
    """
    return {name: _default_in_words(schema) for name, schema in fields.items()}


def _default_in_words(schema: dict[str, Any]) -> dict[str, Any]:
    rest = {key: value for key, value in schema.items() if key != "default"}
    default = schema.get("default")
    if default in (None, {}):
        return rest
    words = f"{schema['description']} Default: `{to_json(default).decode()}`."
    return {**rest, "description": words}


def job_json_body() -> dict[str, Any]:
    """Return the documentation of the JSON body that creates a job."""
    return _body({"application/json": _reference(JobRequest)})


def batch_request_body() -> dict[str, Any]:
    """Return the documentation of the body that creates several jobs."""
    jobs = {
        "type": "array",
        "items": _reference(JobRequest),
        "minItems": 1,
        "maxItems": MAX_BATCH,
        "description": "Each request is validated separately; the others do not affect it.",
    }
    schema = {
        "type": "object",
        "title": "JobBatch",
        "properties": {"jobs": jobs},
        "required": ["jobs"],
        "additionalProperties": False,
    }
    return _body({"application/json": schema})


def asset_request_body() -> dict[str, Any]:
    """Return the documentation of the body that registers an asset."""
    return _body({"application/json": _reference(AssetRequest)})


def token_request_body() -> dict[str, Any]:
    """Return the documentation of the body that creates a token."""
    return _body({"application/json": _reference(TokenRequest)})


def webhook_test_body() -> dict[str, Any]:
    """Return the documentation of the body that sends a test notification."""
    return _body({"application/json": _reference(WebhookTestRequest)})


def _reference(model: type[BaseModel]) -> dict[str, Any]:
    return {"$ref": _COMPONENTS.format(model=model.__name__)}


def _with_parts(model: type[BaseModel]) -> dict[str, Any]:
    """Return the schemas of a model and its parts, by name."""
    schema = model.model_json_schema(ref_template=_COMPONENTS)
    parts: dict[str, Any] = schema.pop("$defs", {})
    if model is JobRequest:
        schema["properties"] = _optional(schema["properties"])
    return {**parts, model.__name__: schema}


def _body(schemas: dict[str, Any]) -> dict[str, Any]:
    content = {media_type: {"schema": schema} for media_type, schema in schemas.items()}
    return {"requestBody": {"required": True, "content": content}}


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path in document["paths"].values():
        yield from path.items()


def _complete(method: str, operation: dict[str, Any]) -> None:
    """Add the examples and what all operations have in common."""
    name, responses = operation["operationId"], operation["responses"]
    if responses.get("422", {}).get("description") == "Validation Error":
        del responses["422"]
    for status, response in problem_responses(ProblemType.INTERNAL_ERROR).items():
        responses[str(status)] = response
    is_open = not operation.setdefault("security", [])
    if method != "get":  # a token in a URL only reads
        operation["security"] = [each for each in operation["security"] if URL_TOKEN not in each]
    for response in responses.values():
        headers = list(_HEADERS)[:2] if is_open else _HEADERS
        response["headers"] = {
            **{header: {"$ref": f"#/components/headers/{header}"} for header in headers},
            **response.get("headers", {}),
        }
    for parameter in operation.get("parameters", ()):
        schema = _without_null(parameter["schema"])
        # A header that can be repeated is documented as a single string.
        is_header = parameter["in"] == "header"
        parameter["schema"] = schema.get("items", schema) if is_header else schema
        parameter["example"] = PARAMETERS[parameter["name"]]
    for media_type, example in REQUESTS.get(name, {}).items():
        operation["requestBody"]["content"][media_type]["example"] = example
    for status, example in RESPONSES.get(name, {}).items():
        next(iter(responses[status]["content"].values()))["example"] = example


def _complete_webhooks(document: dict[str, Any]) -> None:
    for webhook in document["webhooks"].values():
        operation = webhook["post"]
        operation["responses"].pop("422", None)
        operation |= {"tags": ["webhooks"], "security": []}
        operation["requestBody"]["content"]["application/json"]["example"] = WEBHOOK


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
