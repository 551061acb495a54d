"""A gateway in front of a server, which forwards everything unless told to fail."""

import select
import socket
import socketserver
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import StrEnum
from threading import Condition, Thread
from typing import cast

from deploy.standalone.processes import LOOPBACK

CHUNK = 65536
LOOK_SECONDS = 0.05
FAILURE = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Mood(StrEnum):
    """What the gateway does with connections."""

    OPEN = "open"
    """Forward it."""
    SILENT = "silent"
    """Accept connections, and never respond."""
    BROKEN = "broken"
    """Respond to every request with status 500."""
    CLOSED = "closed"
    """Close every connection at once."""


class Gateway(socketserver.ThreadingTCPServer):
    """Forwards connections to its target, depending on its mood; a change closes them all."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__((LOOPBACK, 0), _Connection)
        self.target = (LOOPBACK, 0)
        """The target of its connections."""
        self._mood = Mood.OPEN
        self._changed = Condition()

    @property
    def url(self) -> str:
        """Its own URL."""
        return f"http://{LOOPBACK}:{self.server_address[1]}"

    @property
    def mood(self) -> Mood:
        """What it does with connections."""
        return self._mood

    @mood.setter
    def mood(self, mood: Mood) -> None:
        with self._changed:
            self._mood = mood
            self._changed.notify_all()

    def await_change(self, mood: Mood) -> None:
        """Change the mood, and wait until it is in effect."""
        with self._changed:
            self._changed.wait_for(lambda: self._mood is not mood)

    @contextmanager
    def running(self) -> Iterator["Gateway"]:
        """Serve within the context."""
        thread = Thread(target=self.serve_forever, kwargs={"poll_interval": LOOK_SECONDS})
        thread.start()
        try:
            yield self
        finally:
            self.mood = Mood.CLOSED
            self.shutdown()
            thread.join()
            self.server_close()


class _Connection(socketserver.BaseRequestHandler):
    """One connection; any error closes it, as in a network."""

    def handle(self) -> None:
        gateway, caller = cast("Gateway", self.server), cast("socket.socket", self.request)
        with suppress(OSError):
            match gateway.mood:
                case Mood.OPEN:
                    self._pass(gateway, caller)
                case Mood.SILENT:
                    gateway.await_change(Mood.SILENT)
                case Mood.BROKEN:
                    self._fail(caller)
                case Mood.CLOSED:
                    pass

    def _pass(self, gateway: Gateway, caller: socket.socket) -> None:
        with socket.create_connection(gateway.target) as server:
            ways = {caller: server, server: caller}
            while gateway.mood is Mood.OPEN:
                for source in select.select(list(ways), [], [], LOOK_SECONDS)[0]:
                    chunk = source.recv(CHUNK)
                    if not chunk:
                        return
                    ways[source].sendall(chunk)

    def _fail(self, caller: socket.socket) -> None:
        caller.settimeout(1)
        caller.recv(CHUNK)
        caller.sendall(FAILURE)
        while caller.recv(CHUNK):  # a body that is still being sent
            pass
