"""Valkey and the object store gone, unresponsive, failing or full, at each stage of a job."""

import resource
import shutil
from collections.abc import Iterator
from http import HTTPStatus

import httpx
import pytest
from redis import Redis

from deploy.standalone.processes import LOOPBACK
from jobs.job import JobStatus
from tests.faults.callers import JOBS_PATH
from tests.faults.fleet import CHILD
from tests.faults.gateway import Gateway, Mood
from tests.faults.history import LOSE, Faulted, Revived
from tests.faults.observing import accepted, await_job
from tests.faults.system import S3, VALKEY, FaultySystem
from tests.faults.traps import Strike
from tests.integration.workers.conftest import picture
from tests.integration.workers.pipelines import SLOW
from tests.loopback import loopback
from tests.media import babble, recording
from tests.waiting import wait_for

CHILD_1 = f"worker-1{CHILD}"
MOODS = [
    Mood.BROKEN,
    pytest.param(Mood.CLOSED, marks=pytest.mark.thorough),
    pytest.param(Mood.SILENT, marks=pytest.mark.thorough),
]


@pytest.fixture(scope="module")
def gateway() -> Iterator[Gateway]:
    """The gateway to the object store, for every process of the system."""
    with Gateway().running() as gateway:
        yield gateway


@pytest.fixture(scope="module")
def running_system(
    gateway: Gateway, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[FaultySystem]:
    environment = {"AMIGO_S3_ENDPOINT_URL": gateway.url, "AMIGO_RETRY_MAX_SECONDS": "3"}
    system = FaultySystem(tmp_path_factory.mktemp("system"), environment=environment)
    gateway.target = (LOOPBACK, system.s3.ports.s3)
    with system:
        yield system


def post_once(system: FaultySystem) -> httpx.Response:
    """Submit a job without a key, like a caller that never retries."""
    files = {"portrait": picture(), "audio": recording(babble(1.0), "wav", "pcm_s16le")}
    url = f"{system.urls[0]}{JOBS_PATH}"
    return loopback.post(url, files=files, data={"consent": "true"})


@pytest.fixture(autouse=True)
def open_gateway(gateway: Gateway) -> None:
    """Open the gateway, whatever the test before left."""
    gateway.mood = Mood.OPEN


def fail(system: FaultySystem, gateway: Gateway, mood: Mood) -> None:
    gateway.mood = mood
    system.history.record(Faulted(mood, S3))


def heal(system: FaultySystem, gateway: Gateway) -> None:
    gateway.mood = Mood.OPEN
    system.history.record(Revived(S3))


def log(system: FaultySystem, name: str) -> str:
    return (system.folder / "logs" / f"{name}.log").read_text()


@pytest.mark.parametrize("mood", MOODS)
def test_jobs_are_rejected_without_leftovers_while_the_object_store_fails(
    system: FaultySystem, gateway: Gateway, mood: Mood
) -> None:
    fail(system, gateway, mood)
    refused = post_once(system)
    heal(system, gateway)

    assert refused.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert refused.json()["code"] == "storage_unavailable"
    assert "Retry-After" in refused.headers
    assert not system.check().jobs
    assert post_once(system).status_code == HTTPStatus.ACCEPTED


@pytest.mark.parametrize("mood", MOODS)
@pytest.mark.parametrize(
    "moment",
    [
        pytest.param(
            Strike("Inputs.portrait", "before", "tell"), id="fetching", marks=pytest.mark.thorough
        ),
        pytest.param(
            Strike("ObjectStorage.put", "before", "tell", about="video.mp4"), id="storing"
        ),
    ],
)
def test_a_worker_waits_out_a_short_object_store_outage(
    system: FaultySystem, gateway: Gateway, moment: Strike, mood: Mood
) -> None:
    trap = system.arm(CHILD_1, moment)
    post = system.post()
    system.await_strike(trap, moment)
    tried = log(system, "worker-1").count("Retrying ")
    fail(system, gateway, mood)
    trap.release()
    wait_for(lambda: log(system, "worker-1").count("Retrying ") > tried)
    heal(system, gateway)

    (job_id,) = accepted(post)
    assert system.check(post).jobs[job_id].status is JobStatus.SUCCEEDED


@pytest.mark.thorough
@pytest.mark.parametrize("mood", [Mood.CLOSED, Mood.BROKEN])
def test_a_long_object_store_outage_leads_to_another_attempt(
    system: FaultySystem, gateway: Gateway, mood: Mood
) -> None:
    moment = Strike("ObjectStorage.put", "before", "tell", about="video.mp4")
    trap = system.arm(CHILD_1, moment)
    post = system.post()
    system.await_strike(trap, moment)
    fail(system, gateway, mood)
    trap.release()
    (job_id,) = accepted(post)
    wait_for(lambda: system.store.get(job_id).attempt >= 2)
    heal(system, gateway)

    assert system.check(post).jobs[job_id].status is JobStatus.SUCCEEDED


@pytest.mark.thorough
def test_a_killed_object_store_keeps_its_data(system: FaultySystem) -> None:
    post = system.post(seed=SLOW)
    (job_id,) = accepted(post)
    await_job(system, job_id)
    system.kill(S3)
    system.revive(S3)

    assert system.check(post).jobs[job_id].status is JobStatus.SUCCEEDED


def test_jobs_are_rejected_without_leftovers_while_valkey_is_down(
    system: FaultySystem,
) -> None:
    moment = Strike("JobStore.accept", "before", "tell")
    trap = system.arm("service-1", moment)
    post = system.post()
    system.await_strike(trap, moment)
    system.kill(VALKEY)
    trap.release()
    refused = post_once(system)
    system.revive(VALKEY)

    assert refused.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert refused.json()["code"] == "store_unavailable"
    assert len(system.check(post).jobs) == 1


@pytest.mark.thorough
def test_a_job_accepted_before_valkey_dies_is_dispatched_after_its_restart(
    system: FaultySystem,
) -> None:
    moment = Strike("JobQueue.dispatch", "before", "tell")
    trap = system.arm("service-1", moment)
    post = system.post()
    system.await_strike(trap, moment)
    system.kill(VALKEY)
    trap.release()
    accepted(post)
    system.revive(VALKEY)

    system.check(post)


@pytest.mark.parametrize(
    "moment",
    [
        pytest.param(
            Strike("Attempt._note_rendered", "before", "tell"),
            id="rendering",
            marks=pytest.mark.thorough,
        ),
        pytest.param(Strike("JobStore.finish", "before", "tell"), id="finishing"),
        pytest.param(
            Strike("JobStore.finish", "after", "tell"), id="finished", marks=pytest.mark.thorough
        ),
    ],
)
def test_no_video_is_lost_if_valkey_dies_during_a_job(system: FaultySystem, moment: Strike) -> None:
    trap = system.arm(CHILD_1, moment)
    post = system.post()
    system.await_strike(trap, moment)
    system.kill(VALKEY)
    trap.release()
    system.revive(VALKEY)

    (job_id,) = accepted(post)
    assert system.check(post).jobs[job_id].status is JobStatus.SUCCEEDED


def test_a_full_valkey_rejects_jobs_and_finishes_others_once_there_is_memory(
    system: FaultySystem,
) -> None:
    post = system.post(seed=SLOW, seconds=2.0)
    (job_id,) = accepted(post)
    await_job(system, job_id)
    with Redis.from_url(system.valkey.url) as client:
        client.config_set("maxmemory", "1mb")
        system.history.record(Faulted("fill", VALKEY, "memory"))
        refused = post_once(system)
        client.config_set("maxmemory", "0")
        system.history.record(Revived(VALKEY))

    assert refused.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert refused.json()["code"] == "store_unavailable"
    assert list(system.check(post).jobs) == [job_id]


def test_valkey_stops_without_losing_jobs_if_its_disk_is_full(
    system: FaultySystem,
) -> None:
    posts = [system.post(seed=SLOW) for _ in range(3)]
    accepted(*posts)
    written = sum(file.stat().st_size for file in system.valkey.directory.rglob("*.aof"))
    # The next write ends in the middle of a record, as on a full disk.
    resource.prlimit(system.pid(VALKEY), resource.RLIMIT_FSIZE, (written + 100, -1))
    system.history.record(Faulted("fill", VALKEY, "disk"))
    wait_for(lambda: not system.is_alive(VALKEY))
    refused = post_once(system)
    system.revive(VALKEY)

    assert refused.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert len(system.check(*posts).jobs) == 3


@pytest.mark.parametrize(
    "is_deleted",
    [
        pytest.param(False, id="emptied"),
        pytest.param(True, id="data deleted", marks=pytest.mark.thorough),
    ],
)
def test_jobs_of_an_emptied_valkey_are_restored_from_the_journal(
    system: FaultySystem, is_deleted: bool
) -> None:
    system.settle()  # what is still to be swept would be lost
    posts = [system.post(seed=SLOW, seconds=2.0, webhook=n != 1) for n in range(3)]
    job_ids = accepted(*posts)
    wait_for(lambda: any(system.store.get(each).progress > 0.2 for each in job_ids))
    if is_deleted:
        system.kill(VALKEY)
        shutil.rmtree(system.valkey.directory / "appendonlydir")
        system.revive(VALKEY)
    else:
        with Redis.from_url(system.valkey.url) as client:
            client.flushall()
    system.history.record(Faulted(LOSE, VALKEY))

    jobs = system.check(*posts).jobs
    assert {jobs[each].status for each in job_ids} == {JobStatus.SUCCEEDED}
