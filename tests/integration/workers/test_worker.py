"""Workers that start, are killed and are told to stop, against the real Valkey and S3 server."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from redis import Redis

from jobs.job import JobStatus, Priority
from jobs.queue import queue_name
from tests.integration.workers.conftest import PIPELINES, Client, RunningWorker, StartWorker
from tests.integration.workers.pipelines import (
    DEAF,
    HUNG,
    SLOW,
)
from tests.waiting import PATIENCE, wait_for
from workers.synthesis.run_directory import SHARED_MEMORY


@pytest.mark.thorough
def test_a_job_whose_child_is_killed_is_finished_by_the_next_attempt(
    start_worker: StartWorker, client: Client
) -> None:
    reconciler = start_worker("workers.reconciler")
    worker = start_worker()
    job_id = client.post(SLOW)
    client.wait_progress(job_id, 0.2)
    os.kill(worker.child(), signal.SIGKILL)
    job = client.wait_final(job_id)

    assert job.status is JobStatus.SUCCEEDED
    assert job.attempt == 2
    assert reconciler.terminate() == 0


NORMAL_QUEUE = queue_name(Priority.NORMAL)
UNREADABLE_MESSAGES = (
    "",
    "{",
    "null",
    "[1]",
    "{}",
    '{"properties": {}}',
    '{"body": "é", "properties": {"delivery_tag": "a", "body_encoding": "base64"}}',
    '{"body": "W10=", "properties": {"delivery_tag": "b"}, "headers": null}',
    b"\xff\xfe",
)


def test_unreadable_messages_are_set_aside_and_the_worker_continues(
    worker: RunningWorker, client: Client, valkey_url: str
) -> None:
    with Redis.from_url(valkey_url) as valkey:
        for message in UNREADABLE_MESSAGES:
            valkey.lpush(NORMAL_QUEUE, message)
        client.queue.dispatch("job_unknown")  # readable, but of no job
        job = client.wait_final(client.post())
        kept = valkey.lrange("amigo.unreadable", 0, -1)

    assert job.status is JobStatus.SUCCEEDED
    assert len(kept) == len(UNREADABLE_MESSAGES)
    assert b"[1]" in kept
    assert worker.metric("amigo_worker_unreadable_messages_total") == len(UNREADABLE_MESSAGES)


def test_sigterm_lets_a_job_finish_that_is_quick_enough(
    worker: RunningWorker, client: Client
) -> None:
    job_id = client.post(SLOW)
    client.wait_progress(job_id, 0.2)
    status = worker.terminate()

    assert status == 0
    assert client.store.get(job_id).status is JobStatus.SUCCEEDED
    assert client.store.get(job_id).attempt == 1


@pytest.mark.parametrize("seed", [HUNG, DEAF], ids=["hung", "deaf"])
def test_native_code_that_never_returns_ends_its_process_but_not_the_job(
    start_worker: StartWorker, client: Client, seed: int
) -> None:
    start_worker("workers.reconciler")
    worker = start_worker(
        AMIGO_JOB_BASE_SECONDS="9", AMIGO_JOB_SECONDS_PER_SECOND="1", AMIGO_HANG_SECONDS="11"
    )
    job = client.wait_final(client.post(seed))

    assert job.status is JobStatus.SUCCEEDED
    assert job.attempt == 2
    assert job.lost == (seed == DEAF)
    assert ("listening exceeded its time limit of 10 s" in worker.log) == (seed == HUNG)
    assert ("No thread of child" in worker.log) == (seed == DEAF)
    assert worker.log.count("The pipeline is loaded") == 2


@pytest.mark.thorough
def test_sigterm_hands_a_long_job_to_the_next_worker(
    start_worker: StartWorker, client: Client
) -> None:
    worker = start_worker(AMIGO_SHUTDOWN_SECONDS="0.2")
    job_id = client.post(SLOW, seconds=4)
    client.wait_progress(job_id, 0.2)
    status = worker.terminate()
    handed_back = client.store.get(job_id)
    start_worker()
    job = client.wait_final(job_id)

    assert status == 0
    assert handed_back.status is JobStatus.QUEUED
    assert job.status is JobStatus.SUCCEEDED
    assert job.attempt == 2


def test_a_loading_worker_is_not_healthy_and_leaves_the_jobs_to_others(
    start_worker: StartWorker, client: Client
) -> None:
    def check(worker: RunningWorker) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "workers.synthesis.health"],
            env={**os.environ, "AMIGO_RUN_DIRECTORY": str(worker.directory.path)},
            capture_output=True,
            text=True,
            check=False,
        )

    loading = start_worker(AMIGO_PIPELINE=f"{PIPELINES}:slow_to_load")
    loading.wait_for_log("The pipeline is being loaded")
    loading.wait_for_log("ready.")
    starting = check(loading)
    job_id = client.post()
    loaded = start_worker()

    assert client.wait_final(job_id).status is JobStatus.SUCCEEDED
    assert "received" not in loading.log
    assert starting.returncode == 1
    assert "child" in starting.stderr
    wait_for(lambda: check(loaded).returncode == 0)


def test_a_worker_that_cannot_load_its_pipeline_exits(
    start_worker: StartWorker, client: Client
) -> None:
    worker = start_worker(AMIGO_PIPELINE=f"{PIPELINES}:broken")
    status = worker.process.wait(PATIENCE)

    assert status == 1
    assert "weights are missing" in worker.log


def test_a_killed_worker_leaves_nothing_outside_its_run_directory(
    start_worker: StartWorker, client: Client, tmp_path: Path
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    worker = start_worker(TMPDIR=str(temporary))
    client.wait_final(client.post())
    worker.kill()
    assert not list(temporary.iterdir())


def test_the_next_worker_removes_the_semaphores_of_a_killed_one(
    start_worker: StartWorker,
) -> None:
    worker = start_worker()
    worker.wait_loaded()
    worker.kill()
    names = f"sem.{worker.directory.semaphore_prefix[1:]}-*"
    assert list(SHARED_MEMORY.glob(names))
    with worker.directory.taken():
        assert not list(SHARED_MEMORY.glob(names))
