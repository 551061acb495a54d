"""Which content types a route accepts, and that bodies are not compressed."""

from fastapi import Request

from service.intake.requests import quote
from service.problems import Problem, ProblemType

FORM = "multipart/form-data"
JSON = "application/json"


def require_type(request: Request, *accepted: str) -> str:
    """Return the content type of the body.

    Raises:
        Problem: the content type is not accepted, or the body is encoded.
    """
    _refuse_encoded(request)
    given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if given not in accepted:
        raise Problem(
            ProblemType.UNSUPPORTED_MEDIA_TYPE,
            f"The content type is {quote(given) if given else 'missing'}; accepted: "
            f"{' or '.join(accepted)}.",
            headers={"Accept": ", ".join(accepted)},
        )
    return given


def _refuse_encoded(request: Request) -> None:
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        raise Problem(
            ProblemType.UNSUPPORTED_CONTENT_ENCODING,
            f"The Content-Encoding is {quote(encoding)}; only bodies without one are accepted.",
            headers={"Accept-Encoding": "identity"},
        )
