"""Which content types a route accepts."""

from fastapi import Request

from service.intake.requests import quote
from service.problems import Problem, ProblemType

FORM = "multipart/form-data"
JSON = "application/json"


def require_type(request: Request, *accepted: str) -> str:
    """Return the content type of the body.

    Raises:
        Problem: the content type is not accepted.
    """
    given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if given not in accepted:
        raise Problem(
            ProblemType.UNSUPPORTED_MEDIA_TYPE,
            f"The content type is {quote(given) if given else 'missing'}; accepted: "
            f"{' or '.join(accepted)}.",
            headers={"Accept": ", ".join(accepted)},
        )
    return given
