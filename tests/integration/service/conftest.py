import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
import pytest
from fastapi import FastAPI

from jobs.settings import Settings
from service.app import create_app
from service.dependencies import Components
from service.http_server import Server
from service.reading.watching import JobWatcher
from service.settings import ServiceSettings
from tests.waiting import PATIENCE, wait_for


@dataclass(frozen=True)
class LiveService:
    """A service that listens on a loopback port."""

    app: FastAPI
    server: Server
    http: httpx.Client

    @property
    def port(self) -> int:
        port: int = self.server.servers[0].sockets[0].getsockname()[1]
        return port

    def is_followed(self, job_id: str) -> bool:
        """Return whether anybody waits for the job to change."""
        watcher: JobWatcher = self.app.state.components.watcher
        return job_id in watcher._followers

    def has_connections(self) -> bool:
        return bool(self.server.server_state.connections)

    def answered(self, status: int) -> float:
        """Return how many uploads were answered so, even if nobody heard it."""
        label = f'method="POST",route="/v1/jobs",status="{status}"'
        line = rf"^amigo_http_requests_total{{{re.escape(label)}}} (\S+)$"
        found = re.search(line, self.http.get("/metrics").text, re.MULTILINE)
        return float(found[1]) if found else 0.0


@contextmanager
def serving(
    settings: ServiceSettings, components: Components | None = None
) -> Iterator[LiveService]:
    app = create_app(settings, components)
    server = Server(app, settings.model_copy(update={"listen_port": 0}))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        wait_for(lambda: server.started)
        port = server.servers[0].sockets[0].getsockname()[1]
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE) as http:
            yield LiveService(app, server, http)
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture
def service_settings(settings: Settings) -> ServiceSettings:
    return ServiceSettings(**settings.model_dump())


@pytest.fixture(scope="module")
def shared_service(addresses: Settings) -> Iterator[LiveService]:
    with serving(ServiceSettings(**addresses.model_dump())) as live:
        yield live


@pytest.fixture
def live(shared_service: LiveService, settings: Settings) -> LiveService:
    """The module's service; its stores are empty."""
    return shared_service
