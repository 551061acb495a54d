"""Two small files to submit, both clients behind one interface, and a clock that does not wait."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest

from amigo import AsyncClient, Client
from tests.unit.amigo.answers import Service
from tests.unit.amigo.clock import Clock

T = TypeVar("T")
Connect = Callable[..., Any]


@pytest.fixture
def portrait(tmp_path: Path) -> Path:
    path = tmp_path / "portrait.jpg"
    path.write_bytes(b"a face")
    return path


@pytest.fixture
def audio(tmp_path: Path) -> Path:
    path = tmp_path / "speech.wav"
    path.write_bytes(b"a voice")
    return path


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    clock.install(monkeypatch)
    return clock


@pytest.fixture(params=["sync", "async"])
def connect(request: pytest.FixtureRequest, clock: Clock) -> Connect:
    """Returns a client of a service: Client, then AsyncClient made blocking."""

    def connected(service: Service, **settings: Any) -> Any:
        transport = Unread(service)
        if request.param == "sync":
            return Client("http://amigo", transport=transport, **settings)
        return Awaited(AsyncClient("http://amigo", transport=transport, **settings))

    return connected


class Unread(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Passes responses on without reading them first, unlike MockTransport."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return self._service(request)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return self._service(request)


class Awaited:
    """The asynchronous client with a blocking interface: each call runs to its end."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def run(*arguments: Any, **options: Any) -> Any:
            begun = getattr(self._client, name)(*arguments, **options)
            return asyncio.run(_all(begun) if isinstance(begun, AsyncIterator) else begun)

        return run


async def _all(items: AsyncIterator[T]) -> list[T]:
    return [item async for item in items]
