"""A minimal HTTP/1.1 client, so that the server dominates the measurement."""

import asyncio
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True)
class Wire:
    """A persistent connection to a server on loopback."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @classmethod
    async def open(cls, port: int) -> Self:
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def ask(self, request: bytes) -> bytes:
        """Send a request and return the body of its successful response with a known length."""
        head = await self.begin(request)
        if head[9:12] == b"304":
            return b""
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-l"))
        return await self.reader.readexactly(int(length.partition(b":")[2]))

    async def begin(self, request: bytes) -> bytes:
        """Send a request and return the head of its response.

        Raises:
            RuntimeError: the request failed.
        """
        self.writer.write(request)
        await self.writer.drain()
        head = await self.reader.readuntil(b"\r\n\r\n")
        if head[9:10] != b"2" and head[9:12] != b"304":
            raise RuntimeError(head.decode())
        return head

    async def next_event(self) -> None:
        """Wait for a server-sent event."""
        while not (await self.reader.readline()).startswith(b"data:"):
            if self.reader.at_eof():
                raise RuntimeError("The stream ended early.")

    def close(self) -> None:
        self.writer.close()


def get(path: str, known: str | None = None) -> bytes:
    condition = f"If-None-Match: {known}\r\n" if known else ""
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{condition}\r\n".encode()


def post(path: str, body: bytes = b"", content_type: str = "text/plain") -> bytes:
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {content_type}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
