"""Requests as raw bytes, valid except for the given changes."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial

from tests.service_examples import portrait, speech

SUCCESS = "success"
"""Any response between 200 and 399."""

UNANSWERED = "unanswered"
"""The sender disconnected: nobody can be told."""

JOB = b"{job}"
"""Stands for the id of a canceled job."""

MALFORMED = "malformed_request"
INCOMPLETE = "upload_incomplete"
INVALID_OPTION = "invalid_option"
INVALID_REQUEST = "invalid_request"
NOT_FOUND = "job_not_found"


@dataclass(frozen=True)
class HostileRequest:
    """A request that no honest client sends.

    Attributes:
        name: what it attempts, unique in the corpus.
        build: builds its bytes.
        expected: a problem code, ACCEPTED or SUCCESS.
        hangs_up: whether the sender stops halfway and only reads.
    """

    name: str
    build: Callable[[], bytes]
    expected: str
    hangs_up: bool = False


def request(
    *headers: bytes,
    body: bytes = b"",
    line: bytes = b"POST /v1/jobs HTTP/1.1",
    length: bool = True,
) -> bytes:
    """Write a request; headers are raw lines."""
    lines = [line, b"Host: 127.0.0.1", b"Connection: close", *headers]
    if length:
        lines.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def part(disposition: bytes, content: bytes, *headers: bytes) -> bytes:
    """Write a part of a form, without the boundary before it."""
    lines = [b"Content-Disposition: form-data; " + disposition, *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + content + b"\r\n"


@cache
def good_parts() -> tuple[bytes, ...]:
    """Return the parts of a valid form."""
    return (
        part(b'name="portrait"; filename="a"', portrait()),
        part(b'name="audio"; filename="b"', speech()),
        part(b'name="consent"', b"true"),
    )


def form(*parts: bytes, boundary: bytes = b"b") -> bytes:
    """Write the body of a form."""
    return b"".join(b"--" + boundary + b"\r\n" + each for each in parts) + b"--" + boundary + b"--"


FORM_TYPE = b"Content-Type: multipart/form-data; boundary=b"
JSON_TYPE = b"Content-Type: application/json"


def post_form(*more: bytes, headers: tuple[bytes, ...] = (), type: bytes = FORM_TYPE) -> bytes:
    """Write a valid upload with additional parts and headers."""
    return request(type, *headers, body=form(*good_parts(), *more))


def post_parts(*parts: bytes) -> bytes:
    return request(FORM_TYPE, body=form(*parts))


def post_json(body: bytes, path: bytes = b"/v1/jobs", headers: tuple[bytes, ...] = ()) -> bytes:
    return request(JSON_TYPE, *headers, body=body, line=b"POST " + path + b" HTTP/1.1")


def get(path: bytes, *headers: bytes, method: bytes = b"GET") -> bytes:
    return request(*headers, line=method + b" " + path + b" HTTP/1.1", length=False)


def hostile(name: str, expected: str, build: Callable[..., bytes], *given: bytes) -> HostileRequest:
    return HostileRequest(name, partial(build, *given), expected)
