"""Maps every error that can leave a route to a problem."""

import logging
import math
from collections.abc import Iterable, Sequence
from functools import singledispatch

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match

from jobs.errors import (
    AssetNotFound,
    AssetNotUploaded,
    AssetQuotaExceeded,
    CursorInvalid,
    IdempotencyKeyTaken,
    JobChanged,
    JobNotFound,
    ObjectNotFound,
    QuotaExceeded,
    StorageUnavailable,
    StoreReadOnly,
    StoreUnavailable,
    TooManyJobs,
)
from media.errors import DecoderUnavailable, DetectorUnavailable, MediaError
from service.intake.idempotency import in_progress
from service.intake.requests import describe_errors
from service.middleware.observation import request_id
from service.problems import Problem, ProblemType, problem_response

logger = logging.getLogger(__name__)


def install_error_handlers(app: FastAPI, routes: Sequence[BaseRoute]) -> None:
    """Make the app with these routes respond to every error with problem details."""
    app.state.routes = routes
    for error_type in as_problem.registry.keys() - {object}:
        app.add_exception_handler(error_type, _answer)


async def _answer(request: Request, error: Exception) -> Response:
    return problem_response(as_problem(error, request), request_id(request.scope))


@singledispatch
def as_problem(error: Exception, _: Request) -> Problem:
    """Return the problem that reports an error."""
    raise TypeError(f"No problem type is registered for {type(error).__name__}.") from error


@as_problem.register
def _(error: Problem, _: Request) -> Problem:
    return error


@as_problem.register
def _(error: MediaError, _: Request) -> Problem:
    return Problem(ProblemType.with_code(error.code), str(error))


@as_problem.register
def _(_error: JobNotFound, _: Request) -> Problem:
    return Problem(
        ProblemType.JOB_NOT_FOUND,
        "There is no job with this id; it may have expired and been deleted.",
    )


@as_problem.register
def _(_error: JobChanged, _: Request) -> Problem:
    return Problem(
        ProblemType.PRECONDITION_FAILED, "The job changed while the request was processed."
    )


@as_problem.register
def _(_error: ObjectNotFound, _: Request) -> Problem:
    return Problem(
        ProblemType.RESULT_NOT_FOUND, "The job succeeded, but this file is no longer available."
    )


@as_problem.register
def _(error: AssetNotFound, _: Request) -> Problem:
    return Problem(ProblemType.ASSET_NOT_FOUND, f"{error} Assets are kept for a day.")


@as_problem.register
def _(error: AssetNotUploaded, _: Request) -> Problem:
    return Problem(
        ProblemType.ASSET_NOT_UPLOADED, f"{error} Upload the file, then repeat the request."
    )


@as_problem.register
def _(_error: IdempotencyKeyTaken, request: Request) -> Problem:
    return in_progress(request.app.state.components.settings.retry_seconds)


@as_problem.register
def _(error: CursorInvalid, _: Request) -> Problem:
    return Problem(ProblemType.INVALID_REQUEST, str(error))


@as_problem.register
def _(error: TooManyJobs, request: Request) -> Problem:
    pause = request.app.state.components.settings.retry_seconds
    return Problem(ProblemType.TOO_MANY_JOBS, str(error), headers={"Retry-After": str(pause)})


@as_problem.register
def _(error: QuotaExceeded, _: Request) -> Problem:
    pause = math.ceil(error.wait.total_seconds())
    return Problem(ProblemType.QUOTA_EXCEEDED, str(error), headers={"Retry-After": str(pause)})


@as_problem.register
def _(error: AssetQuotaExceeded, _: Request) -> Problem:
    pause = math.ceil(error.wait.total_seconds())
    return Problem(
        ProblemType.ASSET_QUOTA_EXCEEDED, str(error), headers={"Retry-After": str(pause)}
    )


@as_problem.register
def _(error: StoreUnavailable, request: Request) -> Problem:
    return _unavailable(ProblemType.STORE_UNAVAILABLE, error, request)


@as_problem.register
def _(error: StoreReadOnly, request: Request) -> Problem:
    sentence = "The job store can be read, but refuses changes at the moment."
    return _unavailable(ProblemType.STORE_UNAVAILABLE, error, request, sentence)


@as_problem.register
def _(error: StorageUnavailable, request: Request) -> Problem:
    return _unavailable(ProblemType.STORAGE_UNAVAILABLE, error, request)


@as_problem.register
def _(error: DecoderUnavailable, request: Request) -> Problem:
    return _unavailable(ProblemType.DECODER_UNAVAILABLE, error, request)


@as_problem.register
def _(error: DetectorUnavailable, request: Request) -> Problem:
    return _unavailable(ProblemType.CHECKS_UNAVAILABLE, error, request)


@as_problem.register
def _(_error: ClientDisconnect, _: Request) -> Problem:
    return Problem(
        ProblemType.UPLOAD_INCOMPLETE, "The connection closed before the upload was complete."
    )


@as_problem.register
def _(error: RequestValidationError, _: Request) -> Problem:
    return Problem(ProblemType.INVALID_REQUEST, describe_errors(error.errors()))


@as_problem.register
def _(error: HTTPException, request: Request) -> Problem:
    given = f"{request.method} {request.url.path[:100]}"
    if error.status_code == 404:
        return Problem(
            ProblemType.ROUTE_NOT_FOUND,
            f"There is no route {given}; see /docs for the available routes.",
        )
    if error.status_code == 405:
        # A path without a route belongs to a mounted folder.
        accepted = ", ".join(sorted(_accepted_methods(request)) or ("GET", "HEAD"))
        return Problem(
            ProblemType.METHOD_NOT_ALLOWED,
            f"{given} is not allowed; use {accepted}.",
            headers={"Allow": accepted},
        )
    return Problem(ProblemType.MALFORMED_REQUEST, str(error.detail), headers=error.headers)


def _unavailable(
    problem_type: ProblemType, error: Exception, request: Request, sentence: str | None = None
) -> Problem:
    logger.warning("A component is unavailable", extra={"fields": {"reason": str(error)}})
    return Problem(
        problem_type,
        f"{sentence or f'{problem_type.title}.'} Retry the request later.",
        headers={"Retry-After": str(request.app.state.components.settings.retry_seconds)},
    )


def _accepted_methods(request: Request) -> Iterable[str]:
    """Return the methods of all routes with this path; the framework only reports the first
    route's.
    """
    routes = [r for r in request.app.state.routes if r.matches(request.scope)[0] is not Match.NONE]
    # A literal path, such as /v1/jobs/batch, takes precedence over a path parameter.
    path = min((route.path for route in routes), key=lambda path: path.count("{"), default=None)
    for route in routes:
        if route.path == path:
            yield from route.methods
            if "GET" in route.methods:
                yield "HEAD"
