"""Valkey behind TLS, with a password and a private certificate authority."""

import asyncio
import socket
import socketserver
import ssl
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from threading import Thread

import pytest
import trustme
from redis import Redis

from deploy.standalone.processes import LOOPBACK, ValkeyServer
from jobs.errors import QueueUnavailable, StoreUnavailable, Unavailable
from jobs.queue import JobQueue, create_celery
from jobs.settings import Settings
from jobs.valkey.job_store import JobStore
from jobs.valkey.keys import CHANGES
from service.rate_limits import RequestLimits
from service.reading.watching import JobWatcher
from tests.waiting import PATIENCE, wait_for
from workers.synthesis.app import create_worker
from workers.synthesis.settings import WorkerSettings


class Terminator(socketserver.ThreadingTCPServer):
    """Accepts TLS, and forwards what it protects to Valkey."""

    daemon_threads = True

    def __init__(self, valkey_port: int, tls: ssl.SSLContext) -> None:
        super().__init__((LOOPBACK, 0), Connection)
        self.valkey_port, self.tls = valkey_port, tls


class Connection(socketserver.BaseRequestHandler):
    server: Terminator

    def handle(self) -> None:
        with (
            suppress(OSError),  # a client that refuses the certificate, or leaves
            self.server.tls.wrap_socket(self.request, server_side=True) as outer,
            socket.create_connection((LOOPBACK, self.server.valkey_port)) as inner,
        ):
            responses = Thread(target=pump, args=(inner, outer))
            responses.start()
            pump(outer, inner)
            responses.join()


def pump(source: socket.socket, target: socket.socket) -> None:
    """Forward until the source ends; the target then ends too."""
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def tls_url(valkey: ValkeyServer, valkey_url: str, authority: trustme.CA) -> Iterator[str]:
    """The URL of an empty Valkey behind TLS, without its authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(LOOPBACK).configure_cert(context)
    with Terminator(valkey.port, context) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"rediss://:{valkey.password}@{LOOPBACK}:{server.server_address[1]}/0"
        server.shutdown()
        thread.join()


@pytest.fixture
def trusted_url(tls_url: str, authority: trustme.CA, tmp_path: Path) -> str:
    root = tmp_path / "root.pem"
    authority.cert_pem.write_to_path(str(root))
    return f"{tls_url}?ssl_ca_certs={root}"


def test_every_client_of_valkey_speaks_tls(trusted_url: str, valkey_url: str) -> None:
    settings = Settings(valkey_url=trusted_url)
    eventually(JobStore.connect(settings).ping)
    eventually(lambda: JobQueue(create_celery(settings)).dispatch("job_x"))
    eventually(lambda: RequestLimits.connect(settings).count("key", 1))
    asyncio.run(subscribed(trusted_url, valkey_url))
    with create_worker(WorkerSettings(valkey_url=trusted_url)).connection_for_read() as broker:
        assert "job_x" in str(broker.SimpleQueue("amigo.normal").get(timeout=PATIENCE).payload)


def eventually(action: Callable[[], object]) -> None:
    """Repeat an action while a slow machine exceeds the timeouts of its connection."""

    def succeeds() -> bool:
        with suppress(Unavailable):
            action()
            return True
        return False

    wait_for(succeeds)


async def subscribed(url: str, plain_url: str) -> None:
    """Return once a watcher has subscribed, and its connection is closed again."""
    with Redis.from_url(plain_url) as client:
        async with JobWatcher(url).running(), asyncio.timeout(PATIENCE):
            while not client.pubsub_numsub(CHANGES)[0][1]:
                await asyncio.sleep(0.05)
        # A loop that ends while TLS still says goodbye leaves an open transport behind.
        while client.pubsub_numsub(CHANGES)[0][1]:
            await asyncio.sleep(0.05)
        await asyncio.sleep(0.2)


def test_no_client_accepts_a_certificate_of_an_unknown_authority(tls_url: str) -> None:
    settings = Settings(valkey_url=tls_url)
    with pytest.raises(StoreUnavailable, match="certificate verify failed"):
        JobStore.connect(settings).ping()
    with pytest.raises(QueueUnavailable):
        JobQueue(create_celery(settings)).dispatch("job_x")
