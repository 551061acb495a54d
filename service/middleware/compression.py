"""Compresses JSON and the web page for callers that accept gzip."""

import zlib

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.negotiation import quality

MIN_BYTES = 1000
"""Shorter bodies fit into a packet as they are."""

_PAGE_TYPES = {"text/html", "text/css", "text/javascript", "image/svg+xml"}
_LEVEL = 5
_GZIP = 16 + zlib.MAX_WBITS


class Compression:
    """ASGI middleware: compresses complete bodies of JSON and of the page's own files, but no
    pictures or videos and no event streams.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request, and compress its response if that helps."""
        if scope["type"] != "http" or not _accepts_gzip(scope):
            await self.app(scope, receive, send)
            return
        start: Message | None = None

        async def send_compressed(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start" and _is_text(message):
                start = message
                return
            if start is not None:
                begun, start = start, None
                body, is_whole = message.get("body", b""), not message.get("more_body")
                if is_whole and len(body) >= MIN_BYTES:
                    message = {**message, "body": _compress(body)}
                    _describe(begun, len(message["body"]))
                await send(begun)
            await send(message)

        await self.app(scope, receive, send_compressed)


def _accepts_gzip(scope: Scope) -> bool:
    return quality(Headers(scope=scope).get("accept-encoding", ""), "gzip") > 0


def _is_text(message: Message) -> bool:
    headers = Headers(raw=message["headers"])
    kind = headers.get("content-type", "").partition(";")[0]
    return (kind.endswith("json") or kind in _PAGE_TYPES) and "content-range" not in headers


def _describe(message: Message, length: int) -> None:
    headers = MutableHeaders(scope=message)
    headers["Content-Encoding"] = "gzip"
    headers["Content-Length"] = str(length)
    headers.add_vary_header("Accept-Encoding")


def _compress(body: bytes) -> bytes:
    compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
    return compressor.compress(body) + compressor.flush()
