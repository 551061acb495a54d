"""Requests to callers' URLs, against real servers that misbehave."""

import asyncio
import socket
import ssl
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from threading import Event

import pytest
import trustme

from jobs.urls import UrlRules
from tests.servers import Answer, LocalServer, content, redirect, serving
from tests.waiting import PATIENCE
from workers.safe_http import (
    MAX_REDIRECTS,
    Outbound,
    Reply,
    UrlNotFollowed,
    UrlTimeout,
    UrlTooLarge,
    UrlUnreachable,
)

LOCAL = Outbound(UrlRules(local=True))
BODY = b"a portrait"
METADATA = "http://169.254.169.254/latest/meta-data/"


@pytest.fixture
def server() -> Iterator[LocalServer]:
    with serving(content(BODY)) as running:
        yield running


def fetch(
    url: str, outbound: Outbound = LOCAL, max_bytes: int = 1000, seconds: float = 20
) -> bytes:
    return asyncio.run(outbound.fetch(url, max_bytes, seconds))


class Names:
    """A resolver that returns each of these results once, and the last one from then on."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> list[str]:
        self.asked.append(host)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def test_the_content_of_a_url_is_fetched(server: LocalServer) -> None:
    assert fetch(f"{server.url}/face.png?size=big#top") == BODY
    (asked,) = server.asked
    assert (asked.method, asked.path) == ("GET", "/face.png?size=big")
    assert asked.headers["host"] == f"127.0.0.1:{server.port}"
    assert "cookie" not in asked.headers
    assert "authorization" not in asked.headers


def test_loopback_is_refused_unless_it_is_allowed(server: LocalServer) -> None:
    names = Names(["127.0.0.1"])
    with pytest.raises(UrlNotFollowed, match="not public"):
        fetch("https://files.example/", Outbound(UrlRules(), names))
    with pytest.raises(UrlNotFollowed):
        fetch(server.url, Outbound(UrlRules()))
    assert names.asked == ["files.example"]
    assert server.asked == []


@pytest.mark.parametrize("private", ["10.0.0.1", "169.254.169.254", "::ffff:127.0.0.1", "fe80::1"])
def test_a_host_with_one_private_address_is_rejected(private: str) -> None:
    names = Names(["93.184.216.34", private])
    with pytest.raises(UrlNotFollowed, match="not public") as refusal:
        fetch("https://files.example/", Outbound(UrlRules(), names))
    assert private not in str(refusal.value)


def test_a_name_is_resolved_once_and_the_checked_address_is_used(
    server: LocalServer,
) -> None:
    rebinding = Names(["127.0.0.1"], ["169.254.169.254"])
    outbound = Outbound(UrlRules(local=True), rebinding)
    assert fetch(f"http://files.example:{server.port}/a", outbound) == BODY
    assert rebinding.asked == ["files.example"]
    assert server.asked[0].headers["host"] == f"files.example:{server.port}"


def test_a_second_dns_response_is_checked_like_the_first(server: LocalServer) -> None:
    rebinding = Names(["127.0.0.1"], ["10.0.0.1"])
    server.answer = redirect("/again")
    with pytest.raises(UrlNotFollowed, match="not public"):
        fetch(f"http://files.example:{server.port}/", Outbound(UrlRules(local=True), rebinding))
    assert len(server.asked) == 1


def test_the_real_resolver_is_used(server: LocalServer) -> None:
    assert fetch(f"http://localhost:{server.port}/") == BODY


def test_a_second_address_is_tried_when_the_first_refuses_connections(server: LocalServer) -> None:
    outbound = Outbound(UrlRules(local=True), Names(["127.0.0.9", "127.0.0.1"]))
    assert fetch(f"http://files.example:{server.port}/", outbound) == BODY


def test_a_redirect_is_followed(server: LocalServer) -> None:
    moved = redirect("/new?x=1", 307)
    server.answer = lambda handler: (
        moved(handler) if handler.path == "/old" else content(BODY)(handler)
    )
    assert fetch(f"{server.url}/old") == BODY
    assert [asked.path for asked in server.asked] == ["/old", "/new?x=1"]


@pytest.mark.parametrize(
    "target",
    [
        METADATA,
        "http://10.0.0.1/",
        "http://[::ffff:10.0.0.1]/",
        "//192.168.0.1/",
        "http://0x0a.1/",
        "file:///etc/passwd",
        "http://user@127.0.0.1/",
        *("http://[", "http:////^[", "http://]["),
    ],
)
def test_a_redirect_to_a_forbidden_address_is_rejected(server: LocalServer, target: str) -> None:
    server.answer = redirect(target)
    with pytest.raises(UrlNotFollowed):
        fetch(server.url)
    assert len(server.asked) == 1


def test_redirects_are_limited(server: LocalServer) -> None:
    server.answer = redirect("/again")
    with pytest.raises(UrlUnreachable, match="redirects"):
        fetch(server.url)
    assert len(server.asked) == 1 + MAX_REDIRECTS


@pytest.mark.parametrize("status", [204, 206, 304, 403, 404, 500])
def test_any_other_status_is_an_error(server: LocalServer, status: int) -> None:
    server.answer = content(b"", status)
    with pytest.raises(UrlUnreachable, match=str(status)):
        fetch(server.url)


def test_a_file_of_the_maximum_size_is_fetched(server: LocalServer) -> None:
    server.answer = content(b"x" * 1000)
    assert len(fetch(server.url, max_bytes=1000)) == 1000
    with pytest.raises(UrlTooLarge, match="999"):
        fetch(server.url, max_bytes=999)


def test_an_endless_body_is_cut_off(server: LocalServer) -> None:
    gone = Event()

    def pour(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        try:
            while True:
                handler.wfile.write(b"x" * 65536)
        except OSError:
            gone.set()

    server.answer = pour
    with pytest.raises(UrlTooLarge):
        fetch(server.url, max_bytes=100_000)
    assert gone.wait(PATIENCE), "the connection is still open"


def dripping(head: bytes, drop: bytes, stop: Event) -> Answer:
    """Return a response that starts at once and only ends on request."""

    def drip(handler: BaseHTTPRequestHandler) -> None:
        try:
            handler.wfile.write(head)
            while not stop.wait(0.05):
                handler.wfile.write(drop)
        except OSError:
            pass

    return drip


@pytest.mark.parametrize(
    ("head", "drop"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", b"x"),
        (b"HTTP/1.1 200 OK\r\nX-Slow: ", b"x"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        (b"", b""),
    ],
    ids=["body", "headers", "chunks", "silence"],
)
def test_a_slow_response_times_out(server: LocalServer, head: bytes, drop: bytes) -> None:
    stop = Event()
    server.answer = dripping(head, drop, stop)
    began = time.monotonic()
    with pytest.raises(UrlTimeout, match=r"0\.5 s"):
        fetch(server.url, max_bytes=10**6, seconds=0.5)
    assert time.monotonic() - began < 10
    stop.set()


def test_a_hanging_resolver_times_out() -> None:
    async def silent(host: str, port: int) -> list[str]:
        await asyncio.Event().wait()
        return []

    with pytest.raises(UrlTimeout):
        fetch("https://files.example/", Outbound(UrlRules(), silent), seconds=0.2)


def test_a_closed_port_is_unreachable() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(UrlUnreachable):
            fetch(f"http://127.0.0.1:{unused.getsockname()[1]}/")


@pytest.mark.parametrize("host", ["does-not-exist.invalid", "a..b", "x" * 64 + ".example"])
def test_an_unknown_host_is_unreachable(host: str) -> None:
    with pytest.raises(UrlUnreachable):
        fetch(f"https://{host}/")


@pytest.mark.parametrize("answer", [b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 200 OK\r\nContent-Le"])
def test_a_response_that_is_not_http_is_unreachable(server: LocalServer, answer: bytes) -> None:
    server.answer = lambda handler: handler.wfile.write(answer)
    with pytest.raises(UrlUnreachable):
        fetch(server.url)


def test_proxies_from_the_environment_are_ignored(
    server: LocalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    assert fetch(server.url) == BODY


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def tls_server(authority: trustme.CA, *names: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    return context


def trusting(authority: trustme.CA, names: Names) -> Outbound:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return Outbound(UrlRules(local=True), names, context)


def test_the_certificate_must_be_for_the_name_though_the_address_is_connected_to(
    authority: trustme.CA,
) -> None:
    outbound = trusting(authority, Names(["127.0.0.1"]))
    with serving(content(BODY), tls_server(authority, "files.example")) as server:
        assert fetch(f"https://files.example:{server.port}/", outbound) == BODY
        assert fetch(f"https://files.example.:{server.port}/", outbound) == BODY
        with pytest.raises(UrlUnreachable, match="certificate"):
            fetch(f"https://other.example:{server.port}/", outbound)


def test_a_certificate_of_an_unknown_authority_is_refused(authority: trustme.CA) -> None:
    outbound = Outbound(UrlRules(local=True), Names(["127.0.0.1"]))
    with (
        serving(content(BODY), tls_server(authority, "files.example")) as server,
        pytest.raises(UrlUnreachable, match="certificate"),
    ):
        fetch(f"https://files.example:{server.port}/", outbound)


def post(server: LocalServer, **options: float) -> Reply:
    headers = {"Content-Type": "application/json", "webhook-id": "msg_1"}
    return asyncio.run(
        LOCAL.post(f"{server.url}/hook", b'{"a": 1}', headers, **options or {"seconds": 20})
    )


def test_a_body_is_posted_and_the_status_comes_back(server: LocalServer) -> None:
    server.answer = content(b"thanks", 202)
    assert post(server) == Reply(202)
    (asked,) = server.asked
    assert (asked.method, asked.path, asked.body) == ("POST", "/hook", b'{"a": 1}')
    assert asked.headers["webhook-id"] == "msg_1"
    assert asked.headers["content-type"] == "application/json"


def test_a_post_follows_no_redirect(server: LocalServer) -> None:
    server.answer = redirect("/elsewhere", 307)
    assert post(server).status == 307
    assert len(server.asked) == 1


def test_a_post_does_not_wait_for_the_response_body(server: LocalServer) -> None:
    stop = Event()
    server.answer = dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", b"x", stop)
    assert post(server) == Reply(200)
    stop.set()


def test_an_unanswered_post_times_out(server: LocalServer) -> None:
    stop = Event()
    server.answer = dripping(b"", b"", stop)
    with pytest.raises(UrlTimeout):
        post(server, seconds=0.3)
    stop.set()
