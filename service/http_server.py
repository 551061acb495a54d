"""A connection with limits that the HTTP server does not have.

    opened ──header_seconds──► headers complete ──body_seconds──► body complete ──► next request …

Callers that send more slowly, or that send data without making progress (endless headers, trailers
or chunk extensions), get an error and are disconnected; so are callers that stop reading a
response. The time a route spends on a request is not limited here.
"""

import json
import logging
import socket
from asyncio import TimerHandle, Transport
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar
from uuid import uuid4

import uvicorn
from fastapi import FastAPI
from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from service.middleware.security_headers import HEADERS
from service.problems import MEDIA_TYPE, Problem, ProblemType, problem_document
from service.reading.watching import JobWatcher
from service.settings import ServiceSettings

logger = logging.getLogger(__name__)

MAX_HEADER_BYTES = 32_768
"""Limit for a request line with its headers, and for data without progress."""

GRACE_SECONDS = 5.0
"""How much longer than the route a connection waits for a body, so that the route can respond."""


@dataclass(frozen=True)
class Bounds:
    """Time limits for callers, in seconds."""

    header_seconds: float
    body_seconds: float
    stall_seconds: float


class Connection(HttpToolsProtocol):
    """A connection that is closed if its caller is too slow or sends too much."""

    bounds: ClassVar[Bounds]
    origins: ClassVar[Sequence[str]] = ()
    """Origins whose pages may read responses."""

    _deadline: TimerHandle | None = None
    _stall: TimerHandle | None = None
    _is_between_requests = True
    _bytes_without_progress = 0
    """Number of bytes since the last progress."""
    _problem: Problem | None = None

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Start waiting for the first request."""
        super().connection_made(transport)
        self._expect_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop all timers."""
        self._lift_deadline()
        self._end_stall()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Process received data, within the limits."""
        if self._is_between_requests and self._deadline is None:
            self._expect_headers()
        # In pieces, because the limit must not depend on how many bytes arrive at once.
        for start in range(0, len(data), MAX_HEADER_BYTES):
            piece = data[start : start + MAX_HEADER_BYTES]
            self._bytes_without_progress += len(piece)
            self._parse(piece)
            if self.transport.is_closing():
                break
            if self._bytes_without_progress > MAX_HEADER_BYTES:
                self._refuse(_headers_too_large())
                break

    def on_headers_complete(self) -> None:
        """Start handling the request, and wait for the rest of its body."""
        if self._offers_upgrade():
            return
        size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        if size > MAX_HEADER_BYTES:
            self._problem = _headers_too_large()
            raise ValueError("The headers are too large.")
        self._require_one_host()
        super().on_headers_complete()
        self._bytes_without_progress = 0
        self._is_between_requests = False
        self._wait(self.bounds.body_seconds, self.transport.close)

    def _require_one_host(self) -> None:
        """Check that the request names one host, as RFC 9112, section 3.2, requires."""
        hosts = sum(name == b"host" for name, _ in self.headers)
        if hosts > 1 or (hosts == 0 and self.parser.get_http_version() == "1.1"):
            self._problem = Problem(
                ProblemType.MALFORMED_REQUEST,
                f"The request has {hosts} Host headers; exactly one is required.",
            )
            raise ValueError("The host is missing or ambiguous.")

    def on_body(self, body: bytes) -> None:
        """Pass on a part of the body."""
        self._bytes_without_progress = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Finish receiving the request; the next one may follow."""
        if self._offers_upgrade():
            return
        self._bytes_without_progress = 0
        self._is_between_requests = True
        self._lift_deadline()
        super().on_message_complete()

    def pause_writing(self) -> None:
        """Wait until the caller reads more of the response, up to the time limit."""
        super().pause_writing()
        self._stall = self.loop.call_later(self.bounds.stall_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """Resume writing the response."""
        self._end_stall()
        super().resume_writing()

    def _parse(self, data: bytes) -> None:
        """Parse data; a request that offers an upgrade is parsed again without the offer.

        Java's HttpClient offers HTTP/2 with every request. The offer may be ignored (RFC 9110,
        section 7.8), but the parser would take the request's body for the other protocol.
        """
        self._unset_keepalive_if_required()
        while True:
            try:
                self.parser.feed_data(data)
            except HttpParserUpgrade as upgrade:
                if not self._offers_upgrade():
                    return
                data = self._head_without_offer() + data[upgrade.args[0] :]
                self.parser = HttpRequestParser(self)
                # As in the base class: requests after a last one are ignored.
                self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
            except HttpParserError:
                self._refuse(
                    self._problem
                    or Problem(ProblemType.MALFORMED_REQUEST, "The request is not valid HTTP/1.1.")
                )
                return
            else:
                return

    def _offers_upgrade(self) -> bool:
        # CONNECT requires a tunnel rather than offering one.
        return self.parser.should_upgrade() and self.parser.get_method() != b"CONNECT"

    def _head_without_offer(self) -> bytes:
        """Return the request line and the headers just parsed, except `Upgrade`."""
        version = self.parser.get_http_version().encode()
        line = b" ".join((self.parser.get_method(), self.url, b"HTTP/" + version))
        kept = (b": ".join(header) for header in self.headers if header[0] != b"upgrade")
        return b"\r\n".join((line, *kept, b"", b""))

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
        # Browsers open connections in advance: if nothing was sent, send nothing back.
        if self._bytes_without_progress:
            self._refuse(
                Problem(
                    ProblemType.UPLOAD_TIMEOUT,
                    "The headers did not arrive within the time limit of "
                    f"{self.bounds.header_seconds:g} s.",
                )
            )
        else:
            self.transport.close()

    def _refuse(self, problem: Problem) -> None:
        """Respond instead of a route, unless it has already started, and close the connection."""
        self._lift_deadline()
        if not self._is_answering():
            request_id = str(uuid4())
            fields = {"request_id": request_id, "code": problem.type.code, "reason": problem.detail}
            logger.info("A request was refused", extra={"fields": fields})
            self.transport.write(_answer(problem, request_id, self._allowed_origin()))
        if self.cycle is not None:
            # Discards a later response of the route.
            self.cycle.disconnected = True
        self.transport.close()

    def _allowed_origin(self) -> dict[str, str]:
        """Return the headers that let the page that sent the request read the response."""
        if "*" in self.origins:
            return {"Access-Control-Allow-Origin": "*"}
        sent = dict(getattr(self, "headers", ())).get(b"origin", b"").decode("latin-1")
        if sent not in self.origins:
            return {}
        return {"Access-Control-Allow-Origin": sent, "Vary": "Origin"}

    def _is_answering(self) -> bool:
        begun = self.cycle is not None and self.cycle.response_started
        return bool(self.pipeline) or (begun and not self.cycle.response_complete)


def bounded(settings: ServiceSettings) -> type[Connection]:
    """Return a connection class with the limits of these settings."""
    body_seconds = settings.upload_max_seconds + GRACE_SECONDS
    bounds = Bounds(settings.header_max_seconds, body_seconds, settings.stall_max_seconds)
    members = {"bounds": bounds, "origins": settings.cors_origins}
    return type("BoundedConnection", (Connection,), members)


def _headers_too_large() -> Problem:
    return Problem(
        ProblemType.HEADERS_TOO_LARGE,
        f"The headers exceed the limit of {MAX_HEADER_BYTES} bytes.",
    )


def _answer(problem: Problem, request_id: str, origin: dict[str, str]) -> bytes:
    """Return the raw response that reports a problem with an incomplete request."""
    body = json.dumps(problem_document(problem, request_id)).encode()
    headers = {
        **HEADERS,
        **origin,
        "Content-Type": MEDIA_TYPE,
        "Content-Length": str(len(body)),
        "Connection": "close",
        "X-Request-ID": request_id,
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return STATUS_LINE[problem.type.status] + lines.encode() + b"\r\n" + body


class Server(uvicorn.Server):
    """Serves the app at the address in the settings until asked to stop.

    During shutdown, requests in progress may complete. Followers are disconnected at once, because
    they would not finish in time; they reconnect to another process without missing anything.
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
                timeout_keep_alive=settings.keep_alive_seconds,
                timeout_graceful_shutdown=settings.shutdown_seconds,
            )
        )

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Disconnect followers, then complete the requests in progress."""
        self._watcher.stop()
        await super().shutdown(sockets)
