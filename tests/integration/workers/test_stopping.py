"""SIGTERM at any stage of a worker: the job is released and the worker exits."""

import signal
import socket
import time
from collections.abc import Iterator
from threading import Event

import pytest

from jobs.job import JobStatus, Stage
from tests.integration.workers.conftest import PIPELINES, Client, RunningWorker, StartWorker
from tests.integration.workers.pipelines import DEAF, SLOW
from tests.integration.workers.test_safe_http import dripping
from tests.servers import serving
from tests.waiting import PATIENCE, wait_for

GRACE = 60.0
"""Seconds between SIGTERM and SIGKILL in the containers."""


@pytest.fixture
def black_hole() -> Iterator[str]:
    """The URL of a server that accepts connections and never responds."""
    with socket.create_server(("127.0.0.1", 0), backlog=16) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.fixture
def closed() -> str:
    """The URL of a server that does not exist."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{unused.getsockname()[1]}"


def wait_begun(client: Client, job_id: str) -> None:
    wait_for(lambda: client.store.get(job_id).stage is Stage.FETCHING)


def assert_handed_back(worker: RunningWorker, client: Client, job_id: str) -> None:
    began = time.monotonic()
    status = worker.terminate()
    job = client.store.get(job_id)
    assert (status, job.status, job.handed_back) == (0, JobStatus.QUEUED, 1), worker.log
    assert time.monotonic() - began < GRACE


def test_while_an_input_is_fetched_from_a_slow_url(
    start_worker: StartWorker, client: Client
) -> None:
    over = Event()
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"
    with serving(dripping(head, b"x", over)) as server:
        worker = start_worker(AMIGO_LOCAL_URLS="true", AMIGO_SHUTDOWN_SECONDS="0.2")
        job_id = client.post(portrait_url=f"{server.url}/portrait")
        wait_for(lambda: server.asked)
        assert_handed_back(worker, client, job_id)
        over.set()


def test_while_the_object_store_hangs(
    start_worker: StartWorker, client: Client, black_hole: str
) -> None:
    worker = start_worker(AMIGO_S3_ENDPOINT_URL=black_hole, AMIGO_SHUTDOWN_SECONDS="0.2")
    job_id = client.post()
    wait_begun(client, job_id)
    assert_handed_back(worker, client, job_id)


@pytest.mark.thorough
def test_while_waiting_for_an_unavailable_object_store(
    start_worker: StartWorker, client: Client, closed: str
) -> None:
    worker = start_worker(AMIGO_S3_ENDPOINT_URL=closed, AMIGO_SHUTDOWN_SECONDS="0.2")
    job_id = client.post()
    worker.wait_for_log("Retrying ", 2)
    assert_handed_back(worker, client, job_id)


def test_twice_while_a_job_is_processing(start_worker: StartWorker, client: Client) -> None:
    worker = start_worker(AMIGO_SHUTDOWN_SECONDS="0.2")
    job_id = client.post(SLOW, seconds=10)
    client.wait_progress(job_id, 0.2)
    worker.process.send_signal(signal.SIGTERM)
    assert_handed_back(worker, client, job_id)


def test_while_no_thread_of_the_child_can_run(start_worker: StartWorker, client: Client) -> None:
    worker = start_worker(AMIGO_SHUTDOWN_SECONDS="0.2", AMIGO_HANG_SECONDS="6")
    job_id = client.post(DEAF)
    wait_for(lambda: client.store.get(job_id).stage is Stage.LISTENING)
    status = worker.terminate()
    assert status == 0
    assert "No thread of child" in worker.log


@pytest.mark.parametrize("times", [1, pytest.param(2, marks=pytest.mark.thorough)])
def test_while_the_pipeline_is_loaded(
    start_worker: StartWorker, client: Client, times: int
) -> None:
    worker = start_worker(AMIGO_PIPELINE=f"{PIPELINES}:slow_to_load")
    job_id = client.post()
    worker.wait_for_log("The pipeline is being loaded")
    began = time.monotonic()
    for _ in range(times):
        worker.process.send_signal(signal.SIGTERM)
    assert worker.process.wait(PATIENCE) == 0, worker.log
    assert time.monotonic() - began < GRACE
    assert client.store.get(job_id).status is JobStatus.QUEUED
