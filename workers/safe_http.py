"""Requests to URLs given by callers, restricted to the public internet.

    URL ──form──► host ──resolved once──► every address public ──► connect to exactly that address

The connection goes to the address that was checked, so later DNS responses have no effect. The
host's name stays in the `Host` header, and the certificate must match it. Proxies and credentials
from the environment are not used.

OutboundError
├── UrlNotFollowed    the URL is not allowed, or leads to an address that is not
├── UrlUnreachable    no response, or an unsuccessful one
├── UrlTooLarge       the file exceeds the size limit
└── UrlTimeout        the request exceeded its time limit
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
"""Maximum number of addresses tried for one host, one after the other."""

CONNECT_SECONDS = 5.0
"""Connection timeout for each of them, in seconds."""

_DEFAULT_PORTS = {"https": 443, "http": 80}
_HEADERS = {
    "User-Agent": f"AMIGO/{version('amigo')}",
    # A small compressed response could become huge in memory.
    "Accept-Encoding": "identity",
}

Resolver = Callable[[str, int], Awaitable[list[str]]]
"""Resolves a host and a port to the host's addresses, in order of preference."""


class OutboundError(Exception):
    """A caller's URL could not be used; the message is meant for the caller."""

    code: ClassVar[str]


class UrlNotFollowed(OutboundError):
    """The URL is not allowed, or leads to an address that is not allowed."""

    code = "url_refused"


class UrlUnreachable(OutboundError):
    """No response, or an unsuccessful one; `may_pass` if a retry may help."""

    code = "url_unreachable"

    def __init__(self, message: str, *, may_pass: bool = True) -> None:
        super().__init__(message)
        self.may_pass = may_pass


class UrlTooLarge(OutboundError):
    """The file exceeds the size limit."""

    code = "url_too_large"


class UrlTimeout(OutboundError):
    """The request exceeded its time limit."""

    code = "url_timeout"


async def resolve(host: str, port: int) -> list[str]:
    """Return a host's addresses from the system's resolver.

    Raises:
        OSError, UnicodeError: there are none, or the host is not a valid name.
    """
    ask = partial(getaddrinfo, host, port, type=SOCK_STREAM)
    # A separate thread that is abandoned on a timeout, because the resolver cannot be interrupted.
    executor = ThreadPoolExecutor(1, "resolve")
    try:
        found = await asyncio.get_running_loop().run_in_executor(executor, ask)
    finally:
        executor.shutdown(wait=False)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


@dataclass(frozen=True)
class Reply:
    """The relevant parts of the response to a POST: its status, and the delay it asks for."""

    status: int
    retry_after: str | None = None


@dataclass(frozen=True)
class Outbound:
    """Sends requests to URLs given by callers."""

    rules: UrlRules
    resolve: Resolver = resolve
    tls: ssl.SSLContext = field(default_factory=httpx.create_ssl_context)

    async def fetch(self, url: str, max_bytes: int, seconds: float) -> bytes:
        """Return the content of a URL, after at most three redirects.

        Args:
            url: the caller's URL.
            max_bytes: size limit of the content.
            seconds: time limit for everything.

        Raises:
            OutboundError: the content could not be fetched.
        """
        with _translated_errors(seconds):
            async with asyncio.timeout(seconds):
                return await self._follow(self.rules.check(url), max_bytes)

    async def post(
        self, url: str, body: bytes, headers: Mapping[str, str], seconds: float
    ) -> Reply:
        """Send a body and return the relevant parts of the response, without reading its body.

        Redirects are not followed.

        Raises:
            OutboundError: there was no response.
        """
        with _translated_errors(seconds):
            async with asyncio.timeout(seconds):
                message = _Message("POST", self.rules.check(url), body, headers)
                async with self._open(message) as response:
                    return Reply(response.status_code, response.headers.get("Retry-After"))

    async def _follow(self, url: httpx.URL, max_bytes: int) -> bytes:
        for _ in range(1 + MAX_REDIRECTS):
            async with self._open(_Message("GET", url)) as response:
                if not response.has_redirect_location:
                    return await _read(response, max_bytes)
                url = self.rules.check(joined(url, response.headers["Location"]))
        raise UrlUnreachable(f"The URL redirects more than {MAX_REDIRECTS} times.", may_pass=False)

    @asynccontextmanager
    async def _open(self, message: "_Message") -> AsyncIterator[httpx.Response]:
        """Send a request and yield the response, before its body is read."""
        addresses = await self._addresses(message.url)
        async with httpx.AsyncClient(verify=self.tls, trust_env=False) as client:
            response = await _send_to_any(client, message, addresses)
            try:
                yield response
            finally:
                await response.aclose()

    async def _addresses(self, url: httpx.URL) -> list[str]:
        """Return the addresses of the URL's host, to all of which connections are allowed."""
        port = url.port or _DEFAULT_PORTS[url.scheme]
        found = await self.resolve(url.raw_host.decode("ascii"), port)
        if not all(map(self.rules.allow, found)):
            # Naming the address would reveal to the caller how names resolve in our network.
            raise UrlRefused("The URL's host has an address that is not public.")
        return found[:MAX_ADDRESSES]


@dataclass(frozen=True)
class _Message:
    """A request with an allowed URL."""

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
                # Everything else shares one time limit.
                "timeout": {"connect": CONNECT_SECONDS},
            },
        )


async def _send_to_any(
    client: httpx.AsyncClient, message: _Message, addresses: list[str]
) -> httpx.Response:
    """Return the response of the first address that accepts a connection."""
    failure: httpx.TransportError = httpx.ConnectError("the host has no address")
    for address in addresses:
        try:
            return await client.send(message.to(address), stream=True)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            failure = error
    raise failure


def joined(url: httpx.URL, location: str) -> str:
    """Return the target of a redirect.

    Raises:
        UrlRefused: it has no valid target.
    """
    try:
        return str(url.join(location))
    except (httpx.InvalidURL, ValueError) as error:
        raise UrlRefused(
            f"The URL redirects to {location[:60]!r}, which cannot be parsed."
        ) from error


async def _read(response: httpx.Response, max_bytes: int) -> bytes:
    """Return the body of a successful response, without decoding it."""
    if response.status_code != httpx.codes.OK:
        status = response.status_code
        raise UrlUnreachable(
            f"The URL responded with status {status}; 200 is required.",
            may_pass=status == httpx.codes.TOO_MANY_REQUESTS or httpx.codes.is_server_error(status),
        )
    declared = response.headers.get("Content-Length", "")
    body = bytearray()
    if not (declared.isdecimal() and int(declared) > max_bytes):
        async for chunk in response.aiter_raw():
            body += chunk
            if len(body) > max_bytes:
                break
        else:
            return bytes(body)
    raise UrlTooLarge(f"The file exceeds the limit of {max_bytes} bytes.")


@contextmanager
def _translated_errors(seconds: float) -> Iterator[None]:
    try:
        yield
    except (UrlRefused, httpx.InvalidURL) as error:
        raise UrlNotFollowed(str(error)) from error
    except TimeoutError as error:
        raise UrlTimeout(f"The request exceeded its time limit of {seconds:g} s.") from error
    except (OSError, UnicodeError, httpx.HTTPError) as error:
        reason = str(error) or type(error).__name__
        raise UrlUnreachable(f"The URL cannot be reached ({reason}).") from error
