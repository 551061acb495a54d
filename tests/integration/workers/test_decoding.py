"""The decoding processes of a real worker."""

import os
import signal

from jobs.job import JobStatus
from tests.integration.workers.conftest import Client, RunningWorker
from tests.processes import children, is_alive
from tests.waiting import wait_for


def decoding_server(worker: RunningWorker) -> int:
    [server] = wait_for(lambda: children(worker.child(), b"media.sandbox.server"))
    return server


def test_a_decoding_server_that_dies_is_replaced_at_the_next_job(
    worker: RunningWorker, client: Client
) -> None:
    lost = decoding_server(worker)
    os.kill(lost, signal.SIGKILL)

    job = client.wait_final(client.post())
    assert (job.status, job.attempt) == (JobStatus.SUCCEEDED, 1)
    assert decoding_server(worker) != lost


def test_a_killed_child_leaves_no_decoding_server(worker: RunningWorker) -> None:
    server = decoding_server(worker)
    os.kill(worker.child(), signal.SIGKILL)
    wait_for(lambda: not is_alive(server))
    worker.wait_loaded(times=2)


def test_a_stopping_worker_leaves_no_decoding_server(worker: RunningWorker) -> None:
    server = decoding_server(worker)
    assert worker.terminate() == 0
    wait_for(lambda: not is_alive(server))
