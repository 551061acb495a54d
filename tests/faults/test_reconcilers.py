"""Several reconcilers at once, one of them frozen in the middle of its work while another takes
over.
"""

from collections.abc import Iterator

import pytest
from redis import Redis

from jobs.job import JobStatus
from jobs.valkey.keys import LEADER, OUTBOX
from tests.faults.fleet import CHILD
from tests.faults.observing import accepted, await_job, holder, objects
from tests.faults.system import FaultySystem
from tests.faults.traps import Strike, Trap
from tests.integration.workers.pipelines import SLOW
from tests.waiting import wait_for

pytestmark = pytest.mark.thorough

RECONCILERS = ("reconciler-1", "reconciler-2")


@pytest.fixture(scope="module")
def running_system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultySystem]:
    with FaultySystem(tmp_path_factory.mktemp("system"), workers=2, reconcilers=2) as system:
        yield system


def freeze_whoever_comes_to(system: FaultySystem, step: str) -> tuple[list[Trap], Strike]:
    """Freeze the first reconciler that reaches a step."""
    strike = Strike(step, "before", "stop")
    return [system.arm(name, strike) for name in RECONCILERS], strike


def await_the_frozen(system: FaultySystem, traps: list[Trap], strike: Strike) -> str:
    """Return the frozen reconciler; the other one continues."""
    wait_for(lambda: any(trap.is_struck for trap in traps))
    frozen = next(trap for trap in traps if trap.is_struck)
    for trap in traps:
        if trap is not frozen:
            trap.disarm()
    system.await_strike(frozen, strike)
    return frozen.name


def test_one_leads_and_another_takes_over_when_it_is_killed(system: FaultySystem) -> None:
    with Redis.from_url(system.valkey.url) as client:
        leader = wait_for(lambda: client.get(LEADER))
        for name in RECONCILERS:
            system.kill(name)
            system.revive(name)
        wait_for(lambda: client.get(LEADER) not in (None, leader))

    system.check(system.post())


@pytest.mark.parametrize(
    "step",
    [
        "JobStore.requeue_expired",
        "Reconciler._dispatch",
        "JobQueue.dispatch",
    ],
)
def test_a_leader_frozen_beyond_its_leadership_takes_no_job_from_its_owner(
    system: FaultySystem, step: str
) -> None:
    post = system.post(seed=SLOW, seconds=3.0)
    (job_id,) = accepted(post)
    await_job(system, job_id, progress=0.2)
    traps, strike = freeze_whoever_comes_to(system, step)
    system.kill(f"{holder(system, job_id)}{CHILD}")
    frozen = await_the_frozen(system, traps, strike)
    await_job(system, job_id, attempt=2, progress=0.3)
    system.thaw(frozen)

    job = system.check(post).jobs[job_id]
    assert (job.status, job.attempt) == (JobStatus.SUCCEEDED, 2)


def test_a_leader_frozen_while_a_worker_resumes_leaves_it_its_job(
    system: FaultySystem,
) -> None:
    sleeper, other = RECONCILERS
    post = system.post(seed=SLOW, seconds=4.0)
    (job_id,) = accepted(post)
    await_job(system, job_id, progress=0.2)
    silent = f"{holder(system, job_id)}{CHILD}"
    system.freeze(other)
    strike = Strike("JobStore.requeue_expired", "before", "stop")
    trap = system.arm(sleeper, strike)
    system.freeze(silent)
    system.await_strike(trap, strike)
    heard = system.store.get(job_id).progress
    system.thaw(silent)
    await_job(system, job_id, progress=heard + 0.1)
    system.thaw(sleeper)
    system.thaw(other)

    assert system.check(post).jobs[job_id].attempt == 1


def test_a_leader_frozen_before_clearing_a_job_deletes_no_video(system: FaultySystem) -> None:
    traps, strike = freeze_whoever_comes_to(system, "ObjectStorage.delete_prefix")
    first = system.post()
    (job_id,) = accepted(first)
    await_job(system, job_id, status=JobStatus.SUCCEEDED)
    frozen = await_the_frozen(system, traps, strike)
    second = system.post()
    accepted(second)
    wait_for(lambda: not system.store.maintenance.cleanups_due())
    system.thaw(frozen)

    system.check(first, second)
    assert f"attempts/{1}/video.mp4" in objects(system, job_id)


def test_two_simultaneous_leaders_do_no_harm(system: FaultySystem) -> None:
    posts = [system.post(seed=SLOW) for _ in range(6)]
    job_ids = accepted(*posts)
    with Redis.from_url(system.valkey.url) as client:

        def depose() -> bool:
            client.delete(LEADER)
            client.zadd(OUTBOX, dict.fromkeys(job_ids, 1), xx=True)  # all messages are due again
            return sum(not system.store.get(each).status.is_final for each in job_ids) < 2

        wait_for(depose)

    system.check(*posts)
