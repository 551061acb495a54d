"""A real worker process against the real Valkey and the real S3 server."""

import os
import signal
import subprocess
import sys

import pytest

from jobs.job import MAX_ATTEMPTS, JobStatus, Priority
from jobs.s3.object_store import landmarks_key, poster_key, video_key
from tests.integration.workers.conftest import PIPELINES, Client, StartWorker
from tests.integration.workers.pipelines import (
    BATCH_FRAMES,
    DEAF,
    FAULTY,
    HUNG,
    NO_FACE,
    POISON,
    SLOW,
)
from tests.waiting import PATIENCE, wait_for
from workers.synthesis.run_directory import SHARED_MEMORY


def test_a_job_becomes_a_video_and_its_inputs_go(start_worker: StartWorker, client: Client) -> None:
    worker = start_worker()
    job = client.wait_final(client.post())

    assert job.status is JobStatus.SUCCEEDED
    assert job.progress == 1
    assert job.notices == ("grey",)
    assert job.result is not None
    assert job.result.num_frames == 25
    assert job.result.duration == 1.0
    assert job.result.timings == {"render": 0.5}
    assert (job.result.width, job.result.height) == (64, 64)
    kept = sorted(key(job.id, 1) for key in (video_key, poster_key, landmarks_key))
    wait_for(lambda: client.objects(job.id) == kept)
    wait_for(lambda: worker.metric('amigo_worker_jobs_total{outcome="succeeded"}') == 1)
    assert worker.metric("amigo_worker_frames_rendered_total") == 25
    assert worker.metric('amigo_worker_stage_seconds_count{stage="rendering"}') == 1


def test_the_callers_fault_fails_the_job_at_once(start_worker: StartWorker, client: Client) -> None:
    start_worker()
    unreadable = client.wait_final(client.post(portrait=b"not a picture"))
    faceless = client.wait_final(client.post(NO_FACE))

    assert unreadable.failure is not None
    assert unreadable.failure.code == "portrait_unreadable"
    assert faceless.failure is not None
    assert faceless.failure.code == "no_face"
    assert (unreadable.attempt, faceless.attempt) == (1, 1)
    wait_for(lambda: client.objects(faceless.id) == [])


def test_a_fault_of_ours_fails_the_job_after_the_last_attempt_without_telling_why(
    start_worker: StartWorker, client: Client
) -> None:
    start_worker("workers.reconciler")
    worker = start_worker()
    job = client.wait_final(client.post(FAULTY))

    assert job.failure is not None
    assert job.failure.code == "internal_error"
    assert "secret" not in job.failure.message
    assert job.attempt == MAX_ATTEMPTS
    assert worker.log.count("RuntimeError: a fault with a secret in it") == MAX_ATTEMPTS
    worker.wait_loaded(1 + MAX_ATTEMPTS)


def test_a_job_that_kills_every_child_fails_and_others_need_not_wait_for_that(
    start_worker: StartWorker, client: Client
) -> None:
    start_worker("workers.reconciler")
    worker = start_worker()
    poison_id, healthy_id = client.post(POISON), client.post()
    poison, healthy = client.wait_final(poison_id), client.wait_final(healthy_id)

    assert poison.failure is not None
    assert poison.failure.code == "worker_lost"
    assert poison.attempt == MAX_ATTEMPTS
    assert healthy.status is JobStatus.SUCCEEDED
    assert healthy.updated_at < poison.updated_at
    worker.wait_loaded(1 + MAX_ATTEMPTS)


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
    assert ("does not run any of its threads" in worker.log) == (seed == DEAF)
    assert worker.log.count("The pipeline is loaded") == 2


def test_sigterm_lets_a_job_finish_that_is_quick_enough(
    start_worker: StartWorker, client: Client
) -> None:
    worker = start_worker()
    job_id = client.post(SLOW)
    client.wait_progress(job_id, 0.2)
    status = worker.terminate()

    assert status == 0
    assert client.store.get(job_id).status is JobStatus.SUCCEEDED
    assert client.store.get(job_id).attempt == 1


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


def test_a_canceled_job_stops_within_two_batches(start_worker: StartWorker, client: Client) -> None:
    worker = start_worker()
    job_id = client.post(SLOW, seconds=10)
    client.wait_progress(job_id, 0.2)
    client.store.cancel(job_id)
    before = worker.metric("amigo_worker_frames_rendered_total")
    dropped = 'amigo_worker_jobs_total{outcome="dropped"}'
    wait_for(lambda: worker.metric(dropped) == 1)

    assert worker.metric("amigo_worker_frames_rendered_total") - before <= 2 * BATCH_FRAMES
    assert client.store.get(job_id).status is JobStatus.CANCELED
    assert client.objects(job_id) == []


def test_a_job_deleted_while_processing_leaves_no_objects(
    start_worker: StartWorker, client: Client
) -> None:
    start_worker("workers.reconciler")
    worker = start_worker()
    job_id = client.post(SLOW, seconds=4)
    client.wait_progress(job_id, 0.2)
    client.store.delete(job_id)
    dropped = 'amigo_worker_jobs_total{outcome="dropped"}'
    wait_for(lambda: worker.metric(dropped) == 1)

    wait_for(lambda: client.objects(job_id) == [])
    assert sum(client.store.counts().values()) == 0


def test_waiting_jobs_are_taken_by_priority_and_then_by_age(
    start_worker: StartWorker, client: Client
) -> None:
    start_worker()
    running = client.post(SLOW, seconds=4)
    client.wait_progress(running, 0.2)
    order = ("low", "normal", "high", "low", "high", "normal")
    waiting = [client.post(priority=Priority(each)) for each in order]
    jobs = [client.wait_final(job_id) for job_id in waiting]

    jobs.sort(key=lambda job: job.claimed_at or job.created_at)
    assert [job.id for job in jobs] == [waiting[n] for n in (2, 4, 1, 5, 0, 3)]


def test_a_loading_worker_leaves_the_jobs_to_others(
    start_worker: StartWorker, client: Client
) -> None:
    loading = start_worker(AMIGO_PIPELINE=f"{PIPELINES}:slow_to_load")
    loading.wait_for_log("The pipeline is being loaded")
    loading.wait_for_log("ready.")
    job_id = client.post()
    start_worker()

    assert client.wait_final(job_id).status is JobStatus.SUCCEEDED
    assert "received" not in loading.log


def test_a_message_that_comes_again_does_nothing(start_worker: StartWorker, client: Client) -> None:
    job_id = client.post()
    client.queue.dispatch(job_id)
    worker = start_worker()
    not_taken = 'amigo_worker_jobs_total{outcome="not_taken"}'
    job = client.wait_final(job_id)
    client.queue.dispatch(job_id)
    wait_for(lambda: worker.metric(not_taken) == 2)

    assert job.attempt == 1
    assert client.store.get(job_id) == job


def test_a_worker_that_cannot_load_its_pipeline_ends(
    start_worker: StartWorker, client: Client
) -> None:
    worker = start_worker(AMIGO_PIPELINE=f"{PIPELINES}:broken")
    status = worker.process.wait(PATIENCE)

    assert status == 1
    assert "weights are missing" in worker.log


def test_a_worker_that_was_killed_leaves_no_semaphores_to_the_next(
    start_worker: StartWorker,
) -> None:
    worker = start_worker()
    worker.wait_loaded()
    worker.kill()
    names = f"sem.{worker.directory.semaphore_prefix[1:]}-*"
    assert list(SHARED_MEMORY.glob(names))
    with worker.directory.taken():
        assert not list(SHARED_MEMORY.glob(names))


def test_the_health_check_hears_a_worker_once_its_pipeline_is_loaded(
    start_worker: StartWorker,
) -> None:
    worker = start_worker()

    def check() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "workers.synthesis.health"],
            env={**os.environ, "AMIGO_RUN_DIRECTORY": str(worker.directory.path)},
            capture_output=True,
            text=True,
            check=False,
        )

    starting = check()
    worker.wait_loaded()
    wait_for(lambda: check().returncode == 0)

    assert starting.returncode == 1
    assert "parent, child" in starting.stderr
