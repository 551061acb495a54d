"""SIGTERM during requests: they complete, or leave nothing behind."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import httpx
import pytest
from redis import Redis

from deploy.standalone.processes import free_port, responds
from jobs.job import JobStatus
from jobs.queue import queue_name
from jobs.s3.object_store import ObjectStorage
from jobs.settings import Settings
from jobs.valkey.job_store import JobStore
from tests.jobs_examples import new_job
from tests.loopback import loopback
from tests.processes import child_process
from tests.service_examples import upload
from tests.waiting import PATIENCE, wait_for

STOPPED = -signal.SIGTERM
"""The status of a process that stopped as asked; uvicorn passes the signal on at the end."""


@dataclass(frozen=True)
class RunningService:
    """`python -m service`."""

    process: subprocess.Popen[bytes]
    url: str

    def is_ready(self) -> bool:
        assert self.process.poll() is None
        return responds(f"{self.url}/readyz")

    def is_receiving(self) -> bool:
        """Return whether it is serving a request besides this one."""
        metrics = loopback.get(f"{self.url}/metrics").text
        return "amigo_http_requests_in_progress 2.0" in metrics

    def is_closed(self) -> bool:
        """Return whether it has stopped accepting connections."""
        try:
            return not loopback.get(f"{self.url}/livez")
        except httpx.TransportError:
            return True


@pytest.fixture
def shutdown_seconds() -> int:
    """How long the service waits for what is under way: for ever, as far as a test can tell."""
    return round(PATIENCE)


@pytest.fixture
def service(settings: Settings, shutdown_seconds: int) -> Iterator[RunningService]:
    port = free_port()
    environment = {
        **os.environ,
        "AMIGO_VALKEY_URL": settings.valkey_url,
        "AMIGO_S3_ENDPOINT_URL": settings.s3_endpoint_url,
        "AMIGO_S3_BUCKET": settings.s3_bucket,
        "AMIGO_S3_ACCESS_KEY": settings.s3_access_key,
        "AMIGO_S3_SECRET_KEY": settings.s3_secret_key.get_secret_value(),
        "AMIGO_LISTEN_PORT": str(port),
        "AMIGO_SHUTDOWN_SECONDS": str(shutdown_seconds),
    }
    command = [sys.executable, "-m", "service"]
    with child_process(command, env=environment, stderr=subprocess.DEVNULL) as process:
        running = RunningService(process, f"http://127.0.0.1:{port}")
        wait_for(running.is_ready)
        yield running


@pytest.fixture
def body() -> tuple[dict[str, str], bytes]:
    """The headers and the body of a valid upload."""
    request = httpx.Request("POST", "http://127.0.0.1/v1/jobs", files=upload())
    return {"Content-Type": request.headers["content-type"]}, request.read()


def test_an_upload_in_progress_becomes_a_job(
    service: RunningService, body: tuple[dict[str, str], bytes], store: JobStore, valkey_url: str
) -> None:
    headers, content = body

    def halves() -> Iterator[bytes]:
        yield content[: len(content) // 2]
        # A connection whose request was not read yet is closed at once.
        wait_for(service.is_receiving)
        service.process.send_signal(signal.SIGTERM)
        wait_for(service.is_closed)
        yield content[len(content) // 2 :]

    response = loopback.post(f"{service.url}/v1/jobs", content=halves(), headers=headers)
    assert response.status_code == 202
    assert store.get(response.json()["id"]).status is JobStatus.QUEUED
    with Redis.from_url(valkey_url) as client:
        assert client.llen(queue_name(store.get(response.json()["id"]).priority)) == 1
    assert service.process.wait(PATIENCE) == STOPPED


@pytest.mark.parametrize("shutdown_seconds", [1])
def test_an_upload_that_takes_too_long_leaves_nothing(
    service: RunningService,
    body: tuple[dict[str, str], bytes],
    store: JobStore,
    storage: ObjectStorage,
) -> None:
    headers, content = body

    def half() -> Iterator[bytes]:
        yield content[: len(content) // 2]
        # A connection whose request was not read yet is closed at once.
        wait_for(service.is_receiving)
        service.process.send_signal(signal.SIGTERM)
        service.process.wait(PATIENCE)

    with suppress(httpx.TransportError):
        response = loopback.post(f"{service.url}/v1/jobs", content=half(), headers=headers)
        assert not response.is_success
    assert sum(store.counts().values()) == 0
    assert list(storage.objects("jobs/")) == []


def test_streams_end_and_the_process_exits(service: RunningService, store: JobStore) -> None:
    job = new_job()
    store.accept(job)
    url = f"{service.url}/v1/jobs/{job.id}/events"
    with loopback.stream("GET", url) as response:
        news = response.iter_lines()
        assert next(news)
        service.process.send_signal(signal.SIGTERM)
        list(news)  # to its end: a truncated response is an error
    assert service.process.wait(PATIENCE) == STOPPED


@pytest.mark.parametrize("shutdown_seconds", [1])
def test_a_long_poll_is_503_when_the_store_stops_responding(
    service: RunningService, store: JobStore, valkey_url: str
) -> None:
    job = new_job()
    store.accept(job)
    with ThreadPoolExecutor(1) as follower:
        url = f"{service.url}/v1/jobs/{job.id}?wait=30"
        response = follower.submit(loopback.get, url)
        wait_for(service.is_receiving)
        with frozen(valkey_url):
            service.process.send_signal(signal.SIGTERM)
            told = response.result(PATIENCE)
            service.process.wait(PATIENCE)
    assert told.status_code == 503
    assert told.json()["code"] in ("shutting_down", "store_unavailable")
    assert int(told.headers["retry-after"]) >= 1


@contextmanager
def frozen(valkey_url: str) -> Iterator[None]:
    """Stop the Valkey process within the context."""
    with Redis.from_url(valkey_url) as client:
        process_id = client.info("server")["process_id"]
    os.kill(process_id, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process_id, signal.SIGCONT)
