"""One caller's connection, with bounds where the HTTP server has none.

    opened ──header_seconds──► headers whole ──body_seconds──► body whole ──► next request …

Whoever sends slower than that, or sends on without getting anywhere (endless headers, trailers or
chunk extensions), is told so and cut off; whoever takes nothing of an answer is cut off, too. What
the routes do with a request takes as long as it takes: no bound here counts it.
"""

import json
import socket
from asyncio import TimerHandle, Transport
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar
from uuid import uuid4

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from service.middleware.security_headers import HEADERS
from service.problems import MEDIA_TYPE, Problem, ProblemType, problem_document
from service.reading.watching import JobWatcher
from service.settings import ServiceSettings

MAX_HEADER_BYTES = 32_768
"""Of a request line with its headers; also the most that may come without getting anywhere."""

GRACE_SECONDS = 5.0
"""How much longer than a route a connection waits for a body, so that the route may answer."""


@dataclass(frozen=True)
class Bounds:
    """How long a caller may take, in seconds."""

    header_seconds: float
    body_seconds: float
    stall_seconds: float


class Connection(HttpToolsProtocol):
    """A connection that is closed when its caller takes too long or sends too much."""

    bounds: ClassVar[Bounds]

    _deadline: TimerHandle | None = None
    _stall: TimerHandle | None = None
    _is_between_requests = True
    _got_nowhere = 0
    """Bytes since the last ones that got anywhere."""
    _problem: Problem | None = None

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Wait for the first request."""
        super().connection_made(transport)
        self._expect_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing more."""
        self._lift_deadline()
        self._end_stall()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what came, as far as it is within the bounds."""
        if self._is_between_requests and self._deadline is None:
            self._expect_headers()
        self._got_nowhere += len(data)
        super().data_received(data)
        if self._got_nowhere > MAX_HEADER_BYTES and not self.transport.is_closing():
            self._refuse(_headers_too_large())

    def on_headers_complete(self) -> None:
        """Begin to serve the request, and wait for the rest of its body."""
        size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        if size > MAX_HEADER_BYTES:
            self._problem = _headers_too_large()
            raise ValueError("The headers are too large.")
        super().on_headers_complete()
        self._got_nowhere = 0
        self._is_between_requests = False
        self._wait(self.bounds.body_seconds, self.transport.close)

    def on_body(self, body: bytes) -> None:
        """Hand on a part of the body."""
        self._got_nowhere = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Take the request for whole; the next one may come."""
        self._got_nowhere = 0
        self._is_between_requests = True
        self._lift_deadline()
        super().on_message_complete()

    def pause_writing(self) -> None:
        """Wait until the caller takes more of its answer, but not for ever."""
        super().pause_writing()
        self._stall = self.loop.call_later(self.bounds.stall_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on with the answer."""
        self._end_stall()
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - the server's own words
        """Tell why what came is no request, and close."""
        self._refuse(
            self._problem
            or Problem(ProblemType.MALFORMED_REQUEST, "What came is no request of HTTP/1.1.")
        )

    def _expect_headers(self) -> None:
        self._wait(self.bounds.header_seconds, self._give_up)

    def _wait(self, seconds: float, end: Callable[[], None]) -> None:
        self._lift_deadline()
        self._deadline = self.loop.call_later(seconds, end)

    def _lift_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _end_stall(self) -> None:
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None

    def _give_up(self) -> None:
        # Browsers open connections ahead of their requests: nobody who sent nothing is answered.
        if self._got_nowhere:
            self._refuse(
                Problem(
                    ProblemType.UPLOAD_TIMEOUT,
                    f"The headers were not complete after {self.bounds.header_seconds:g} s; "
                    "they must arrive within them.",
                )
            )
        else:
            self.transport.close()

    def _refuse(self, problem: Problem) -> None:
        """Answer in place of a route, unless one answers already, and close."""
        self._lift_deadline()
        if not self._is_answering():
            self.transport.write(_answer(problem))
        if self.cycle is not None:
            # A route that answers later speaks to nobody.
            self.cycle.disconnected = True
        self.transport.close()

    def _is_answering(self) -> bool:
        begun = self.cycle is not None and self.cycle.response_started
        return bool(self.pipeline) or (begun and not self.cycle.response_complete)


def bounded(settings: ServiceSettings) -> type[Connection]:
    """Return the kind of connection that keeps the bounds of these settings."""
    body_seconds = settings.upload_max_seconds + GRACE_SECONDS
    bounds = Bounds(settings.header_max_seconds, body_seconds, settings.stall_max_seconds)
    return type("BoundedConnection", (Connection,), {"bounds": bounds})


def _headers_too_large() -> Problem:
    return Problem(
        ProblemType.HEADERS_TOO_LARGE,
        f"The headers have more than {MAX_HEADER_BYTES} bytes; at most that many are accepted.",
    )


def _answer(problem: Problem) -> bytes:
    """Return the bytes that tell a problem to whoever sent no whole request."""
    request_id = str(uuid4())
    body = json.dumps(problem_document(problem, request_id)).encode()
    headers = {
        **HEADERS,
        "Content-Type": MEDIA_TYPE,
        "Content-Length": str(len(body)),
        "Connection": "close",
        "X-Request-ID": request_id,
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return STATUS_LINE[problem.type.status] + lines.encode() + b"\r\n" + body


class Server(uvicorn.Server):
    """Serves the app where the settings say, until told to stop.

    At the end requests under way may finish; followers are let go at once, for they would never
    finish in time, and come back to another process without missing anything.
    """

    def __init__(self, app: FastAPI, settings: ServiceSettings) -> None:
        self._watcher: JobWatcher = app.state.components.watcher
        super().__init__(
            uvicorn.Config(
                app,
                host=settings.listen_host,
                port=settings.listen_port,
                http=bounded(settings),
                log_config=None,
                access_log=False,
                server_header=False,
                ws="none",
                timeout_graceful_shutdown=settings.shutdown_seconds,
            )
        )

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let followers go, then finish what is under way."""
        self._watcher.stop()
        await super().shutdown(sockets)
