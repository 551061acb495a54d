"""Sends raw bytes, and reads the response."""

import json
import socket
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPResponse, RemoteDisconnected
from typing import Any


@dataclass(frozen=True)
class WireAnswer:
    """The response: the status, the headers in lower case, and the body."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


def exchange(
    port: int, sent: bytes, seconds: float, *, hangs_up: bool = False
) -> WireAnswer | None:
    """Send bytes over a new connection; return the response, or None if it just ended."""
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as connection:
        with suppress(
            ConnectionError
        ):  # a sender that is rejected early may not have sent everything
            connection.sendall(sent)
            if hangs_up:
                connection.shutdown(socket.SHUT_WR)
        with HTTPResponse(connection) as response:
            try:
                response.begin()
            except RemoteDisconnected:
                return None
            headers = {name.lower(): value for name, value in response.getheaders()}
            return WireAnswer(response.status, headers, response.read())
