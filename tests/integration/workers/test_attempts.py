"""Jobs of all kinds, one after the other at one real worker, with a reconciler beside it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from jobs.job import MAX_ATTEMPTS, JobStatus, Priority
from jobs.s3.paths import landmarks_key, poster_key, video_key
from jobs.settings import Settings
from tests.integration.workers.conftest import Client, RunningWorker, worker_environment
from tests.integration.workers.pipelines import BATCH_FRAMES, FAULTY, NO_FACE, POISON, SLOW
from tests.waiting import wait_for

LOADED = "The pipeline is loaded"
DROPPED = 'amigo_worker_jobs_total{outcome="dropped"}'


@pytest.fixture(scope="module")
def worker(
    addresses: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningWorker]:
    environment = worker_environment(addresses)
    worker = RunningWorker(environment, tmp_path_factory.mktemp("worker"))
    reconciler = RunningWorker(
        environment, tmp_path_factory.mktemp("reconciler"), "workers.reconciler"
    )
    try:
        worker.wait_loaded()
        yield worker
    finally:
        worker.kill()
        reconciler.kill()


def test_a_job_becomes_a_video_and_its_inputs_are_deleted(
    worker: RunningWorker, client: Client
) -> None:
    done = 'amigo_worker_jobs_total{outcome="succeeded"}'
    frames = "amigo_worker_frames_rendered_total"
    stages = 'amigo_worker_stage_seconds_count{stage="rendering"}'
    before = [worker.metric(line) for line in (done, frames, stages)]
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
    wait_for(lambda: [key for key in client.objects(job.id) if "/stream/" not in key] == kept)
    wait_for(lambda: worker.metric(done) == before[0] + 1)
    assert worker.metric(frames) == before[1] + 25
    assert worker.metric(stages) == before[2] + 1


def test_only_the_child_loads_decoders(worker: RunningWorker) -> None:
    parent, child = (
        Path(f"/proc/{pid}/maps").read_text() for pid in (worker.process.pid, worker.child())
    )
    assert "/av/" in child
    assert "/av/" not in parent


def test_a_media_error_fails_the_job_at_once(worker: RunningWorker, client: Client) -> None:
    unreadable = client.wait_final(client.post(portrait=b"not a picture"))
    faceless = client.wait_final(client.post(NO_FACE))

    assert unreadable.failure is not None
    assert unreadable.failure.code == "portrait_unreadable"
    assert faceless.failure is not None
    assert faceless.failure.code == "no_face"
    assert (unreadable.attempt, faceless.attempt) == (1, 1)
    wait_for(lambda: client.objects(faceless.id) == [])


def test_an_unexpected_error_fails_the_job_with_internal_error_after_the_last_attempt(
    worker: RunningWorker, client: Client
) -> None:
    loaded = worker.log.count(LOADED)
    job = client.wait_final(client.post(FAULTY))

    assert job.failure is not None
    assert job.failure.code == "internal_error"
    assert "secret" not in job.failure.message
    assert job.attempt == MAX_ATTEMPTS
    assert worker.log.count("RuntimeError: a fault with a secret in it") == MAX_ATTEMPTS
    worker.wait_for_log(LOADED, loaded + MAX_ATTEMPTS)


def test_a_job_that_kills_every_child_fails_without_delaying_others(
    worker: RunningWorker, client: Client
) -> None:
    loaded = worker.log.count(LOADED)
    poison_id, healthy_id = client.post(POISON), client.post()
    poison, healthy = client.wait_final(poison_id), client.wait_final(healthy_id)

    assert poison.failure is not None
    assert poison.failure.code == "worker_lost"
    assert poison.attempt == MAX_ATTEMPTS
    assert healthy.status is JobStatus.SUCCEEDED
    assert healthy.updated_at < poison.updated_at
    worker.wait_for_log(LOADED, loaded + MAX_ATTEMPTS)


def test_a_canceled_job_stops_within_two_batches(worker: RunningWorker, client: Client) -> None:
    job_id = client.post(SLOW, seconds=10)
    client.wait_progress(job_id, 0.2)
    dropped = worker.metric(DROPPED)
    client.store.cancel(job_id)
    before = worker.metric("amigo_worker_frames_rendered_total")
    wait_for(lambda: worker.metric(DROPPED) == dropped + 1)

    assert worker.metric("amigo_worker_frames_rendered_total") - before <= 2 * BATCH_FRAMES
    assert client.store.get(job_id).status is JobStatus.CANCELED
    assert client.objects(job_id) == []


def test_a_job_deleted_while_processing_leaves_no_objects(
    worker: RunningWorker, client: Client
) -> None:
    job_id = client.post(SLOW, seconds=4)
    client.wait_progress(job_id, 0.2)
    dropped = worker.metric(DROPPED)
    client.store.delete(job_id)
    wait_for(lambda: worker.metric(DROPPED) == dropped + 1)

    wait_for(lambda: client.objects(job_id) == [])
    assert sum(client.store.counts().values()) == 0


def test_waiting_jobs_are_taken_by_priority_and_then_by_age(
    worker: RunningWorker, client: Client
) -> None:
    running = client.post(SLOW, seconds=4)
    client.wait_progress(running, 0.2)
    order = ("low", "normal", "high", "low", "high", "normal")
    waiting = [client.post(priority=Priority(each)) for each in order]
    jobs = [client.wait_final(job_id) for job_id in waiting]

    jobs.sort(key=lambda job: job.claimed_at or job.created_at)
    assert [job.id for job in jobs] == [waiting[n] for n in (2, 4, 1, 5, 0, 3)]
