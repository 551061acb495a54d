"""Gives every request an id, counts and times it, logs it, and turns crashes into problems."""

import asyncio
import logging
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from fastapi.routing import APIRoute
from opentelemetry import trace
from opentelemetry.trace import SpanKind, StatusCode
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from jobs.tracing import HEADER, TRACER, parent, records_spans, trace_id
from media.logging import log_fields
from service.metrics import ServiceMetrics
from service.problems import Problem, ProblemType, problem_response

logger = logging.getLogger(__name__)

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def request_id(scope: Scope) -> str:
    """Return the request's UUID."""
    found: str = scope["state"]["request_id"]
    return found


def note(scope: Scope, **fields: str) -> None:
    """Add fields to the request's log line: its API key, its tenant, its job."""
    scope["state"].setdefault("noted", {}).update(fields)


def route_template(scope: Scope) -> str:
    """Return the template of the route's path: `/v1/jobs/{job_id}`."""
    route = scope.get("route")
    return route.path if isinstance(route, APIRoute) else "other"


def _metrics(scope: Scope) -> ServiceMetrics:
    metrics: ServiceMetrics = scope["app"].state.components.metrics
    return metrics


class Observation:
    """ASGI middleware that observes the start and the end of every request."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._records_spans = records_spans()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        scope.setdefault("state", {})["request_id"] = str(uuid.uuid4())
        with _traced(scope) if self._belongs_to_trace(scope) else nullcontext():
            await self._observe(scope, receive, send)

    def _belongs_to_trace(self, scope: Scope) -> bool:
        """Return whether a request has a span, or one of its caller: probes and pages do not."""
        is_known = self._records_spans or HEADER in Headers(scope=scope)
        return is_known and scope["path"].startswith("/v1/")

    async def _observe(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        recorder = _ResponseRecorder(send, request_id(scope))
        try:
            with _metrics(scope).in_progress.track_inprogress():
                await self.app(scope, receive, recorder.send)
        except asyncio.CancelledError:
            # The server cancels what is still running when its time to shut down is over.
            if not recorder.status:
                await _send_shutdown(scope, receive, recorder)
            raise
        except Exception:
            logger.exception(
                "A request failed with an unexpected error", extra={"fields": _describe(scope)}
            )
            # A response that has started can only be aborted: the server closes the connection.
            if not recorder.status:
                await _send_crash(scope, receive, recorder)
        finally:
            self._record(scope, recorder.status, time.perf_counter() - started)

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        method = scope["method"] if scope["method"] in _METHODS else "OTHER"
        route = route_template(scope)
        _metrics(scope).observe_request(method, route, status, seconds)
        _describe_span(scope, f"{method} {route}", status)
        # Probes, scrapes and polling would hide requests that change or break something.
        level = logging.DEBUG if method in ("GET", "HEAD") and status < 400 else logging.INFO
        if logger.isEnabledFor(level):
            fields = {**_describe(scope), "status": status, "seconds": round(seconds, 4)}
            logger.log(level, "Request served", extra={"fields": fields})


class _ResponseRecorder:
    """Records the response status and adds the request id to the headers."""

    def __init__(self, send: Send, request_id: str) -> None:
        self._send = send
        self._header = (b"x-request-id", request_id.encode())
        self.status = 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message = {**message, "headers": [*message["headers"], self._header]}
        await self._send(message)


async def _send_crash(scope: Scope, receive: Receive, recorder: _ResponseRecorder) -> None:
    problem = Problem(
        ProblemType.INTERNAL_ERROR, "The request was valid but could not be completed."
    )
    await problem_response(problem, request_id(scope))(scope, receive, recorder.send)


async def _send_shutdown(scope: Scope, receive: Receive, recorder: _ResponseRecorder) -> None:
    problem = Problem(
        ProblemType.SHUTTING_DOWN,
        "The service is shutting down and did not complete the request. Retry it.",
        headers={"Retry-After": "1"},
    )
    await problem_response(problem, request_id(scope))(scope, receive, recorder.send)


def _describe(scope: Scope) -> dict[str, object]:
    # Without the query: a later route may accept a token in it.
    return {
        "request_id": request_id(scope),
        "method": scope["method"],
        "path": scope["path"],
        **scope["state"].get("noted", {}),
    }


@contextmanager
def _traced(scope: Scope) -> Iterator[None]:
    """Make a request of a caller the current span, in the caller's trace if there is one."""
    context = parent(Headers(scope=scope).get(HEADER))
    with (
        TRACER.start_as_current_span(scope["method"], context, kind=SpanKind.SERVER) as span,
        log_fields(trace_id=trace_id(span)),
    ):
        yield


def _describe_span(scope: Scope, name: str, status: int) -> None:
    span = trace.get_current_span()
    if not span.is_recording():
        return
    span.update_name(name)
    span.set_attributes(
        {
            "http.request.method": scope["method"],
            "http.route": route_template(scope),
            "http.response.status_code": status,
            "amigo.request_id": request_id(scope),
        }
    )
    if status >= 500:
        span.set_status(StatusCode.ERROR)
