"""Duplicate, concurrent, late, lost and invalid messages."""

import pytest
from redis import Redis

from jobs.job import JobStatus, Priority
from jobs.queue import JobQueue, create_celery, queue_name
from tests.faults.history import Faulted
from tests.faults.observing import NOT_TAKEN, accepted, await_job, metric
from tests.faults.system import VALKEY, FaultySystem
from tests.integration.workers.pipelines import SLOW
from tests.waiting import wait_for

COPIES = 8
WORKERS = ("worker-1", "worker-2")


@pytest.fixture
def queue(system: FaultySystem) -> JobQueue:
    return JobQueue(create_celery(system.settings))


def not_taken(system: FaultySystem) -> float:
    return sum(metric(system, worker, NOT_TAKEN) for worker in WORKERS)


def test_a_duplicated_message_produces_one_video(system: FaultySystem, queue: JobQueue) -> None:
    before = not_taken(system)
    post = system.post(seed=SLOW)
    (job_id,) = accepted(post)
    for _ in range(COPIES):
        queue.dispatch(job_id)
    system.history.record(Faulted("send again", VALKEY, f"{COPIES} messages"))
    await_job(system, job_id, status=JobStatus.SUCCEEDED)
    queue.dispatch(job_id)
    wait_for(lambda: not_taken(system) == before + COPIES + 1)

    assert system.check(post).jobs[job_id].attempt == 1


def test_a_lost_message_is_sent_again(system: FaultySystem) -> None:
    busy = [system.post(seed=SLOW, seconds=2.0) for _ in WORKERS]
    for job_id in accepted(*busy):
        await_job(system, job_id)
    post = system.post()
    accepted(post)
    with Redis.from_url(system.valkey.url) as client:
        # As if a worker died between taking a message and recording it.
        wait_for(lambda: client.rpop(queue_name(Priority.NORMAL)))
    system.history.record(Faulted("drop", VALKEY, "a message"))

    system.check(post, *busy)


@pytest.mark.parametrize(
    "garbage",
    [
        pytest.param(b"\xff\x00 not JSON", id="bytes", marks=pytest.mark.thorough),
        pytest.param(b"{}", id="empty", marks=pytest.mark.thorough),
        pytest.param(b"[]", id="list", marks=pytest.mark.thorough),
        pytest.param(
            b'{"body": 7, "properties": {}, "headers": {}}',
            id="headless",
            marks=pytest.mark.thorough,
        ),
    ],
)
def test_an_invalid_message_restarts_a_worker_at_most(system: FaultySystem, garbage: bytes) -> None:
    with Redis.from_url(system.valkey.url) as client:
        client.lpush(queue_name(Priority.NORMAL), garbage)
        system.history.record(Faulted("garble", VALKEY, repr(garbage)))
        posts = [system.post() for _ in range(3)]
        accepted(*posts)
        wait_for(lambda: client.llen(queue_name(Priority.NORMAL)) == 0)
    system.revive_all()

    system.check(*posts)


@pytest.mark.thorough
def test_a_message_for_an_unknown_job_is_dropped(system: FaultySystem, queue: JobQueue) -> None:
    before = not_taken(system)
    queue.dispatch("job_that_never_was")
    wait_for(lambda: not_taken(system) == before + 1)

    system.check(system.post())
