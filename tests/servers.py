"""Configurable servers on loopback, which record their requests."""

import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

Answer = Callable[[BaseHTTPRequestHandler], object]


@dataclass(frozen=True)
class Asked:
    """A received request."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class LocalServer:
    """A server whose responses can be changed while it is running."""

    url: str
    port: int
    answer: Answer
    asked: list[Asked] = field(default_factory=list)


@contextmanager
def serving(response: Answer, tls: ssl.SSLContext | None = None) -> Iterator[LocalServer]:
    """Run a server on a free port of 127.0.0.1, with TLS if a context is given."""
    server: LocalServer

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            # Header names in lower case, as HTTP ignores case.
            headers = {name.lower(): value for name, value in self.headers.items()}
            server.asked.append(Asked(self.command, self.path, headers, self.rfile.read(length)))
            server.answer(self)

        def do_POST(self) -> None:
            self.do_GET()

        def do_HEAD(self) -> None:
            self.do_GET()

        def do_PUT(self) -> None:
            self.do_GET()

        def log_message(self, format: str, *args: object) -> None:
            pass

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listener.daemon_threads = True
    scheme = "http"
    if tls is not None:
        listener.socket = tls.wrap_socket(listener.socket, server_side=True)
        scheme = "https"
    port = listener.server_address[1]
    server = LocalServer(f"{scheme}://127.0.0.1:{port}", port, response)
    thread = Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server
    finally:
        listener.shutdown()
        thread.join()
        listener.server_close()


def content(body: bytes, status: int = 200, **headers: str) -> Answer:
    """Return the response with a body; headers are given with underscores for hyphens."""

    def send(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in {"Content_Length": str(len(body)), **headers}.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    return send


def redirect(target: str, status: int = 302) -> Answer:
    """Return a redirect."""
    return content(b"", status, Location=target)
