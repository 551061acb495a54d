"""A service killed during a request, and the request repeated at another."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

import httpx
import pytest
from redis import Redis

from deploy.standalone.processes import free_port, responds
from jobs.settings import Settings
from jobs.valkey.idempotency import holder_key
from jobs.valkey.job_store import JobStore
from tests.integration.service.conftest import LiveService
from tests.loopback import loopback
from tests.processes import child_process
from tests.waiting import wait_for

REQUEST = {
    "portrait_url": "https://example.org/face.jpg",
    "audio_url": "https://example.org/speech.wav",
    "consent": True,
}
KEY = {"Idempotency-Key": "order-4711"}


@pytest.fixture
def silent_s3() -> Iterator[str]:
    """The URL of an object store that accepts connections and never responds."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


@contextmanager
def service_process(settings: Settings, s3: str) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """Run `python -m service`; yield the process and its URL."""
    port = free_port()
    environment = {
        "AMIGO_VALKEY_URL": settings.valkey_url,
        "AMIGO_S3_ENDPOINT_URL": s3,
        "AMIGO_LISTEN_PORT": str(port),
    }
    command = [sys.executable, "-m", "service"]
    with child_process(command, env={**os.environ, **environment}) as process:
        wait_for(lambda: responds(f"http://127.0.0.1:{port}/livez"))
        yield process, f"http://127.0.0.1:{port}"


def _post_in_vain(address: str) -> None:
    with pytest.raises(httpx.TransportError):
        loopback.post(f"{address}/v1/jobs", json=REQUEST, headers=KEY)


def test_the_key_of_a_request_whose_service_was_killed_is_free_soon(
    live: LiveService,
    settings: Settings,
    store: JobStore,
    silent_s3: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("service.intake.submissions.KEY_WAIT", 0.0)
    place = holder_key("local", KEY["Idempotency-Key"])
    with Redis.from_url(settings.valkey_url) as client:
        with service_process(settings, silent_s3) as (process, address):
            caller = Thread(target=_post_in_vain, args=(address,))
            caller.start()
            wait_for(lambda: client.exists(place))
            process.send_signal(signal.SIGKILL)
            caller.join()
        early = live.http.post("/v1/jobs", json=REQUEST, headers=KEY)
        assert client.pttl(place) > 0
        client.pexpire(place, 1)  # it has expired
        wait_for(lambda: not client.exists(place))
        late = live.http.post("/v1/jobs", json=REQUEST, headers=KEY)
    assert (early.status_code, early.json()["code"]) == (409, "idempotency_in_progress")
    assert late.status_code == 202
    assert "idempotent-replayed" not in late.headers
    assert sum(store.counts().values()) == 1
