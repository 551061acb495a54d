"""What a caller can do with a raw socket, and how little of it the service accepts."""

import json
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from http.client import parse_headers
from io import BufferedReader
from pathlib import Path
from time import monotonic

import pytest

from service.http_server import MAX_HEADER_BYTES
from service.middleware.security_headers import HEADERS
from tests.processes import RunningService, running_service
from tests.waiting import PATIENCE, wait_for

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into Linux's /proc")

HEADER_SECONDS = 2.0
BODY_SECONDS = 4.0
MAX_PORTRAIT, MAX_AUDIO = 100_000, 3_000_000  # files above a megabyte are spooled to disk

ESTABLISHED = "01"
"""The state of an open connection in /proc/net/tcp."""

NOWHERE = "127.0.0.1:1"
ENVIRONMENT = {
    # Nothing here reaches the stores.
    "AMIGO_VALKEY_URL": f"redis://{NOWHERE}/0",
    "AMIGO_S3_ENDPOINT_URL": f"http://{NOWHERE}",
    "AMIGO_HEADER_MAX_SECONDS": str(HEADER_SECONDS),
    "AMIGO_UPLOAD_MAX_SECONDS": str(BODY_SECONDS),
    "AMIGO_STALL_MAX_SECONDS": "1",
    "AMIGO_PORTRAIT_MAX_BYTES": str(MAX_PORTRAIT),
    "AMIGO_AUDIO_MAX_BYTES": str(MAX_AUDIO),
    "AMIGO_CORS_ORIGINS": "https://app.example.com",
}

GET = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n"
POST = (
    b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\n"
    b"Content-Type: multipart/form-data; boundary=b\r\n"
)
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
END = b"--b--\r\n"
FORM = b'--b\r\nContent-Disposition: form-data; name="consent"\r\n\r\ntrue\r\n' + END
"""A complete form without the portrait."""


def file_head(name: str) -> bytes:
    return f'--b\r\nContent-Disposition: form-data; name="{name}"; filename="f"\r\n\r\n'.encode()


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> str:
        code: str = json.loads(self.body)["code"]
        return code


@dataclass(frozen=True)
class Caller:
    """A raw connection to the service."""

    socket: socket.socket
    incoming: BufferedReader

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def answer(self) -> Answer:
        """Read one response and nothing of the next."""
        status = int(self.incoming.readline().split()[1])
        headers = dict(parse_headers(self.incoming))
        headers = {name.lower(): value for name, value in headers.items()}
        return Answer(status, headers, self.incoming.read(int(headers["content-length"])))

    def is_let_go(self) -> bool:
        """Wait until the service closes; return whether it sent nothing before."""
        try:
            return self.incoming.read(1) == b""
        except ConnectionResetError:
            return True

    def trickle(self, data: Iterator[bytes], seconds: float) -> None:
        """Send a little every tenth of a second until a response or the end."""
        self.socket.settimeout(0.1)
        deadline = monotonic() + seconds
        try:
            while monotonic() < deadline:
                with suppress(TimeoutError):
                    self.socket.recv(1, socket.MSG_PEEK)
                    return
                self.send(next(data))
            raise AssertionError(f"The service still listens after {seconds:g} s.")
        except (ConnectionResetError, BrokenPipeError):
            return
        finally:
            self.socket.settimeout(PATIENCE)

    def pour(self, data: bytes, most: int) -> int:
        """Send the same until the service closes; return the number of accepted bytes."""
        sent = 0
        with suppress(ConnectionError):
            while sent < most:
                sent += self.socket.send(data)
        return sent


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    folder = tmp_path_factory.mktemp("service")
    environment = {**ENVIRONMENT, "TMPDIR": str(folder)}
    with running_service(environment, folder / "log.txt") as service:
        yield service


Call = Callable[[], Caller]


@pytest.fixture
def call(service: RunningService) -> Iterator[Call]:
    """Connections that are closed after the test, none of which leaves a file behind."""
    with _connections(service) as connect:
        yield connect
    assert service.is_alive()
    assert not spooled(service)


@contextmanager
def _connections(service: RunningService) -> Iterator[Call]:
    with ExitStack() as stack:

        def connect() -> Caller:
            address = ("127.0.0.1", service.port)
            opened = stack.enter_context(socket.create_connection(address, timeout=PATIENCE))
            return Caller(opened, stack.enter_context(opened.makefile("rb")))

        yield connect


def spooled(service: RunningService) -> list[Path]:
    """Return the temporary files that the service holds open."""
    links = Path(f"/proc/{service.process.pid}/fd").iterdir()
    found = []
    for link in links:
        with suppress(OSError):
            found.append(link.readlink())
    return [path for path in found if path.name.endswith("(deleted)")]


def forever(data: bytes) -> Iterator[bytes]:
    while True:
        yield data


def test_slow_headers_time_out(call: Call) -> None:
    caller = call()
    caller.send(GET + b"X-Slow: ")
    caller.trickle(forever(b"a"), PATIENCE)
    response = caller.answer()
    assert (response.status, response.code) == (408, "upload_timeout")
    assert f"{HEADER_SECONDS:g} s" in json.loads(response.body)["detail"]
    assert caller.is_let_go()


def test_a_silent_connection_is_closed(call: Call) -> None:
    assert call().is_let_go()


def test_empty_lines_keep_no_connection_open(call: Call) -> None:
    caller = call()
    caller.send(GET + b"\r\n")
    assert caller.answer().status == 200
    caller.trickle(forever(b"\r\n"), PATIENCE)
    assert caller.answer().status == 408
    assert caller.is_let_go()


@pytest.mark.parametrize(
    "headers",
    [
        b"X-Long: " + b"a" * MAX_HEADER_BYTES + b"\r\n",
        b"X: 1234567\r\n" * (MAX_HEADER_BYTES // 8),
        b"Cookie: " + b"a" * (MAX_HEADER_BYTES + 1),  # without its end yet
    ],
)
def test_headers_above_their_limit_are_refused(call: Call, headers: bytes) -> None:
    caller = call()
    caller.send(GET + headers + (b"\r\n" if headers.endswith(b"\n") else b""))
    response = caller.answer()
    assert (response.status, response.code) == (431, "headers_too_large")
    assert caller.is_let_go()


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [("https://app.example.com", "https://app.example.com"), ("https://evil.example", None)],
)
def test_only_a_page_of_a_listed_origin_reads_why_its_headers_are_refused(
    call: Call, origin: str, allowed: str | None
) -> None:
    caller = call()
    caller.send(GET + f"Origin: {origin}\r\n".encode() + b"X: 1234567\r\n" * MAX_HEADER_BYTES)
    response = caller.answer()
    assert response.code == "headers_too_large"
    assert response.headers.get("access-control-allow-origin") == allowed


def test_a_long_url_counts_as_headers_do(call: Call) -> None:
    caller = call()
    caller.send(b"GET /" + b"a" * MAX_HEADER_BYTES + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert caller.answer().status == 431


def test_headers_below_their_limit_are_taken(call: Call) -> None:
    caller = call()
    caller.send(GET + b"X-Long: " + b"a" * (MAX_HEADER_BYTES - 200) + b"\r\n\r\n")
    assert caller.answer().status == 200


@pytest.mark.parametrize("start", [b"2;name=", b"0\r\nTrailer: "], ids=["extension", "trailer"])
def test_data_without_progress_is_cut_off(call: Call, start: bytes) -> None:
    caller = call()
    caller.send(CHUNKED + chunk(FORM[:-2]) + start)
    most = 64 * 1_000_000
    assert caller.pour(b"a" * 16_384, most) < most


def test_a_slow_body_times_out(call: Call) -> None:
    caller = call()
    caller.send(POST + b"Content-Length: 90000\r\n\r\n" + file_head("portrait"))
    caller.trickle(forever(b"a"), PATIENCE)
    response = caller.answer()
    assert (response.status, response.code) == (408, "upload_timeout")


def test_an_unrequested_body_keeps_no_connection_open(call: Call) -> None:
    caller = call()
    caller.send(GET + b"Content-Length: 90000\r\n\r\n")
    assert caller.answer().status == 200
    caller.trickle(forever(b"a"), PATIENCE)
    assert caller.is_let_go()


@pytest.mark.parametrize(("name", "limit"), [("portrait", MAX_PORTRAIT), ("audio", MAX_AUDIO)])
def test_a_file_is_rejected_at_the_first_byte_beyond_its_limit(
    call: Call, name: str, limit: int
) -> None:
    caller = call()
    caller.send(POST + b"Content-Length: 4000000\r\n\r\n" + file_head(name) + bytes(limit + 100))
    response = caller.answer()  # while most of the body is still to be sent
    assert (response.status, response.code) == (413, f"{name}_too_large")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("extra", (422, "unknown_option")),
        ("portrait2", (422, "unknown_option")),
        ("consent", (400, "malformed_request")),
    ],
)
def test_a_file_of_another_name_is_refused_at_the_size_of_a_text(
    call: Call, name: str, expected: tuple[int, str]
) -> None:
    caller = call()
    caller.send(POST + b"Content-Length: 1000000\r\n\r\n" + file_head(name) + bytes(17_000))
    response = caller.answer()
    assert (response.status, response.code) == expected


def test_data_after_a_form_is_cut_off(call: Call) -> None:
    caller = call()
    caller.send(CHUNKED + chunk(FORM))
    limit = MAX_PORTRAIT + MAX_AUDIO + 1_000_000
    for _ in range(limit // 100_000 + 1):
        caller.send(chunk(bytes(100_000)))
    response = caller.answer()
    assert (response.status, response.code) == (413, "body_too_large")


def test_the_first_of_many_unknown_files_is_refused(call: Call) -> None:
    caller = call()
    parts = b"".join(file_head(f"f{n}") + b"x\r\n" for n in range(9)) + END
    caller.send(CHUNKED + chunk(parts) + b"0\r\n\r\n")
    assert caller.answer().code == "unknown_option"


@pytest.mark.parametrize(
    "parts",
    [
        FORM.removesuffix(END).replace(b"\r\n\r\n", b"\r\nX: 1" * 20 + b"\r\n\r\n") + END,
        FORM.removesuffix(END).replace(b"\r\n\r\n", b"\r\nX: " + b"1" * 5_000 + b"\r\n\r\n") + END,
        FORM.replace(b"true", b"t" * 17_000),
    ],
    ids=["many headers of a part", "long header of a part", "long text"],
)
def test_an_excessive_form_is_malformed(call: Call, parts: bytes) -> None:
    caller = call()
    caller.send(CHUNKED + chunk(parts) + b"0\r\n\r\n")
    response = caller.answer()
    assert (response.status, response.code) == (400, "malformed_request")


def test_a_body_in_chunks_needs_no_length(call: Call) -> None:
    caller = call()
    caller.send(CHUNKED)
    for start in range(0, len(FORM), 7):
        caller.send(chunk(FORM[start : start + 7]))
    caller.send(b"0\r\n\r\n")
    assert caller.answer().code == "missing_part"


ASKED = b"HTTP/1.1 100 Continue\r\n\r\n"
OFFER = (
    b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
    b"HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA\r\n"
)
"""What Java's HttpClient and `curl --http2` add to a request without TLS."""


@pytest.mark.parametrize(
    "body",
    [
        (b"Content-Length: %d\r\n\r\n" % len(FORM), FORM),
        (b"Transfer-Encoding: chunked\r\n\r\n", chunk(FORM), b"0\r\n\r\n"),
        (b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(FORM), FORM),
    ],
    ids=["length", "chunks", "expectation"],
)
@pytest.mark.parametrize("is_split", [False, True], ids=["at_once", "split"])
def test_a_request_that_offers_http2_is_served(
    call: Call, body: tuple[bytes, ...], is_split: bool
) -> None:
    pieces = (POST + OFFER + body[0], *body[1:], GET + OFFER + b"\r\n", GET + b"\r\n")
    caller = call()
    # Java sends the body separately, curl in one piece.
    for piece in pieces if is_split else (b"".join(pieces),):
        caller.send(piece)
    if b"Expect" in body[0]:
        assert caller.incoming.read(len(ASKED)) == ASKED
    form, *others = (caller.answer() for _ in range(3))
    assert form.code == "missing_part"
    assert [response.status for response in others] == [200, 200]


def test_expect_100_continue_is_answered(call: Call) -> None:
    caller = call()
    caller.send(POST + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(FORM))
    assert caller.incoming.read(len(ASKED)) == ASKED
    caller.send(FORM)
    assert caller.answer().code == "missing_part"


def test_expect_100_continue_is_refused_for_an_oversized_body(
    call: Call,
) -> None:
    caller = call()
    caller.send(POST + b"Expect: 100-continue\r\nContent-Length: 9000000\r\n\r\n")
    response = caller.answer()
    assert (response.status, response.code) == (413, "body_too_large")


def test_a_content_length_that_is_too_small_is_malformed(call: Call) -> None:
    caller = call()
    caller.send(POST + b"Content-Length: %d\r\n\r\n" % (len(FORM) - 20) + FORM)
    response = caller.answer()
    assert (response.status, response.code) == (400, "malformed_request")
    assert caller.is_let_go()


def test_a_content_length_that_is_too_large_times_out(call: Call) -> None:
    caller = call()
    caller.send(POST + b"Content-Length: %d\r\n\r\n" % (len(FORM) + 20) + FORM)
    assert caller.answer().code == "upload_timeout"


SMUGGLED = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.mark.parametrize(
    "framing",
    [
        b"Content-Length: 5\r\nTransfer-Encoding: chunked",
        b"Transfer-Encoding: chunked\r\nContent-Length: 5",
        b"Content-Length: 5\r\nContent-Length: 6",
        b"Content-Length: 5, 6",
        b"Content-Length: +5",
        b"Content-Length: -5",
        b"Content-Length: 0x5",
        b"Content-Length: " + b"9" * 40,
        b"Content-Length : 5",
        b"Transfer-Encoding: xchunked",
        b"Transfer-Encoding: chunked, identity",
        b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\nContent-Length: 5",
        b"Transfer-Encoding:\x0bchunked",
        b"X: 1\r\n Content-Length: 5",
        b"X: 1\nContent-Length: 5",
        b"X: 1\rContent-Length: 5",
        b"X: \x005",
    ],
)
def test_an_ambiguous_request_is_rejected(call: Call, framing: bytes) -> None:
    caller = call()
    caller.send(POST + framing + b"\r\n\r\n0\r\n\r\n" + SMUGGLED)
    response = caller.answer()
    assert (response.status, response.code) == (400, "malformed_request")
    assert response.headers["connection"] == "close"
    assert caller.is_let_go()


@pytest.mark.parametrize(
    "junk",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # start of a TLS handshake
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /livez HTTP/9.9\r\n\r\n",
        b"*1\r\n$4\r\nPING\r\n",
        b"\x00" * 100,
    ],
)
def test_an_invalid_request_gets_a_400_and_the_connection_is_closed(
    call: Call, junk: bytes
) -> None:
    caller = call()
    caller.send(junk)
    response = caller.answer()
    assert (response.status, response.code) == (400, "malformed_request")
    for name, value in HEADERS.items():
        assert response.headers[name.lower()] == value
    assert caller.is_let_go()


def test_pipelined_requests_are_answered_in_order(call: Call) -> None:
    caller = call()
    caller.send(
        POST + b"Content-Length: %d\r\n\r\n" % len(FORM) + FORM + GET + b"\r\n" + GET + b"\r\n"
    )
    assert [caller.answer().status for _ in range(3)] == [422, 200, 200]


def is_held(service: RunningService, caller: Caller) -> bool:
    """Return whether the service's end of a connection is open, according to Linux."""
    ports = (service.port, caller.socket.getsockname()[1])
    listed = (line.split()[1:4] for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
    return any(
        state == ESTABLISHED and ports == tuple(int(end.split(":")[1], 16) for end in ends)
        for *ends, state in listed
    )


def test_a_caller_that_does_not_read_its_response_is_disconnected(service: RunningService) -> None:
    asked = b"GET /swagger/swagger-ui-bundle.js HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with _connections(service) as connect:
        caller = connect()
        # More than the kernel buffers for a connection.
        caller.send(asked * 20)
        wait_for(lambda: is_held(service, caller))
        wait_for(lambda: not is_held(service, caller))
        assert caller.answer().status == 200  # whose beginning the kernel still holds


def test_a_caller_that_disconnects_during_a_file_leaves_no_file(
    service: RunningService,
) -> None:
    with _connections(service) as connect:
        caller = connect()
        caller.send(POST + b"Content-Length: 2900000\r\n\r\n" + file_head("audio"))
        caller.send(bytes(2_000_000))
        wait_for(lambda: spooled(service))
    wait_for(lambda: not spooled(service))
