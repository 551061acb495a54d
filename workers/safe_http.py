"""Requests to addresses that callers chose: they reach nothing but the open internet.

    URL ──form──► host ──resolved once──► every address public ──► connect to just that address

The address that was checked is the one that is connected to, so no later answer of a name server
counts. The host's name stays in the `Host` header and is what the certificate must be for. Neither
proxies nor credentials of the environment are used.

OutboundError
├── UrlNotFollowed    the URL is not accepted, or leads where none may lead
├── UrlUnreachable    nobody answered there, or not with success
├── UrlTooLarge       there are more bytes than are accepted
└── UrlTimeout        it took too long
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from socket import SOCK_STREAM, getaddrinfo
from typing import ClassVar

import httpx

from jobs.errors import UrlRefused
from jobs.urls import UrlRules

MAX_REDIRECTS = 3
MAX_ADDRESSES = 4
"""Addresses of one host that are tried, one after the other."""

CONNECT_SECONDS = 5.0
"""How long one of them may take to accept a connection."""

_DEFAULT_PORTS = {"https": 443, "http": 80}
_HEADERS = {
    "User-Agent": f"AMIGO/{version('amigo')}",
    # What is compressed could be small on the way and huge in memory.
    "Accept-Encoding": "identity",
}

Resolver = Callable[[str, int], Awaitable[list[str]]]
"""Given a host and a port, returns the host's addresses, the preferred ones first."""


class OutboundError(Exception):
    """A URL that a caller chose could not be used; the message is for the caller."""

    code: ClassVar[str]


class UrlNotFollowed(OutboundError):
    """The URL is not accepted, or leads where none may lead."""

    code = "url_refused"


class UrlUnreachable(OutboundError):
    """Nobody answered there, or not with success; it `may_pass` when that can change soon."""

    code = "url_unreachable"

    def __init__(self, message: str, *, may_pass: bool = True) -> None:
        super().__init__(message)
        self.may_pass = may_pass


class UrlTooLarge(OutboundError):
    """There are more bytes than are accepted."""

    code = "url_too_large"


class UrlTimeout(OutboundError):
    """It took too long."""

    code = "url_timeout"


async def resolve(host: str, port: int) -> list[str]:
    """Return a host's addresses as the system's resolver knows them.

    Raises:
        OSError, UnicodeError: it knows none, or the host cannot be a name.
    """
    ask = partial(getaddrinfo, host, port, type=SOCK_STREAM)
    # A thread of its own, for which nobody waits when the time is up: the resolver cannot be told.
    executor = ThreadPoolExecutor(1, "resolve")
    try:
        found = await asyncio.get_running_loop().run_in_executor(executor, ask)
    finally:
        executor.shutdown(wait=False)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


@dataclass(frozen=True)
class Reply:
    """What is told of the answer to a post: its status, and the pause that it asks for."""

    status: int
    retry_after: str | None = None


@dataclass(frozen=True)
class Outbound:
    """Sends requests to addresses that callers chose."""

    rules: UrlRules
    resolve: Resolver = resolve
    tls: ssl.SSLContext = field(default_factory=httpx.create_ssl_context)

    async def fetch(self, url: str, max_bytes: int, seconds: float) -> bytes:
        """Return what lies at a URL, after at most three redirects.

        Args:
            url: as the caller gave it.
            max_bytes: no more are read.
            seconds: how long all of it may take.

        Raises:
            OutboundError: it could not be had.
        """
        with _translated_errors(seconds):
            async with asyncio.timeout(seconds):
                return await self._follow(self.rules.check(url), max_bytes)

    async def post(
        self, url: str, body: bytes, headers: Mapping[str, str], seconds: float
    ) -> Reply:
        """Send a body and return what matters of the answer, the body of which is not read.

        A redirect is an answer like any other.

        Raises:
            OutboundError: there was no answer.
        """
        with _translated_errors(seconds):
            async with asyncio.timeout(seconds):
                message = _Message("POST", self.rules.check(url), body, headers)
                async with self._answer(message) as answer:
                    return Reply(answer.status_code, answer.headers.get("Retry-After"))

    async def _follow(self, url: httpx.URL, max_bytes: int) -> bytes:
        for _ in range(1 + MAX_REDIRECTS):
            async with self._answer(_Message("GET", url)) as answer:
                if not answer.has_redirect_location:
                    return await _read(answer, max_bytes)
                url = self.rules.check(joined(url, answer.headers["Location"]))
        raise UrlUnreachable(f"It leads on more than {MAX_REDIRECTS} times.", may_pass=False)

    @asynccontextmanager
    async def _answer(self, message: "_Message") -> AsyncIterator[httpx.Response]:
        """Send a message and give its answer, the body of which is not read yet."""
        addresses = await self._addresses(message.url)
        async with httpx.AsyncClient(verify=self.tls, trust_env=False) as client:
            answer = await _send_to_any(client, message, addresses)
            try:
                yield answer
            finally:
                await answer.aclose()

    async def _addresses(self, url: httpx.URL) -> list[str]:
        """Return the addresses of the URL's host, all of which may be connected to."""
        port = url.port or _DEFAULT_PORTS[url.scheme]
        found = await self.resolve(url.raw_host.decode("ascii"), port)
        if not all(map(self.rules.allow, found)):
            # Which address it is would tell the caller what names mean in our network.
            raise UrlRefused("Its host has an address that is not public.")
        return found[:MAX_ADDRESSES]


@dataclass(frozen=True)
class _Message:
    """A request whose URL was accepted."""

    method: str
    url: httpx.URL
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def to(self, address: str) -> httpx.Request:
        """Return the request to one address of the URL's host."""
        return httpx.Request(
            self.method,
            self.url.copy_with(host=address),
            content=self.body,
            headers={**_HEADERS, **self.headers, "Host": self.url.netloc.decode("ascii")},
            extensions={
                "sni_hostname": self.url.raw_host.decode("ascii").rstrip("."),
                # For all the rest there is one limit.
                "timeout": {"connect": CONNECT_SECONDS},
            },
        )


async def _send_to_any(
    client: httpx.AsyncClient, message: _Message, addresses: list[str]
) -> httpx.Response:
    """Return the answer of the first address that takes a connection."""
    failure: httpx.TransportError = httpx.ConnectError("its host has no address")
    for address in addresses:
        try:
            return await client.send(message.to(address), stream=True)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            failure = error
    raise failure


def joined(url: httpx.URL, location: str) -> str:
    """Return where a redirect leads.

    Raises:
        UrlRefused: nowhere that can be told.
    """
    try:
        return str(url.join(location))
    except (httpx.InvalidURL, ValueError) as error:
        raise UrlRefused(f"It leads on to {location[:60]!r}, which cannot be read.") from error


async def _read(answer: httpx.Response, max_bytes: int) -> bytes:
    """Return the body of a good answer, as it came."""
    if answer.status_code != httpx.codes.OK:
        status = answer.status_code
        raise UrlUnreachable(
            f"It answers with status {status}; only 200 is accepted.",
            may_pass=status == httpx.codes.TOO_MANY_REQUESTS or httpx.codes.is_server_error(status),
        )
    declared = answer.headers.get("Content-Length", "")
    body = bytearray()
    if not (declared.isdecimal() and int(declared) > max_bytes):
        async for chunk in answer.aiter_raw():
            body += chunk
            if len(body) > max_bytes:
                break
        else:
            return bytes(body)
    raise UrlTooLarge(f"There are more than {max_bytes} bytes; at most that many are accepted.")


@contextmanager
def _translated_errors(seconds: float) -> Iterator[None]:
    try:
        yield
    except (UrlRefused, httpx.InvalidURL) as error:
        raise UrlNotFollowed(str(error)) from error
    except TimeoutError as error:
        raise UrlTimeout(f"It took longer than {seconds:g} s; that is all it may take.") from error
    except (OSError, UnicodeError, httpx.HTTPError) as error:
        reason = str(error) or type(error).__name__
        raise UrlUnreachable(f"It cannot be reached ({reason}).") from error
