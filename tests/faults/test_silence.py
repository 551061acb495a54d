"""Workers that freeze for longer than a lease, and resume with an outdated result."""

import pytest

from jobs.job import JobStatus
from tests.faults.fleet import CHILD
from tests.faults.observing import DROPPED, accepted, await_job, holder, metric, objects
from tests.faults.striking import kill_told, require_success
from tests.faults.system import VALKEY, FaultySystem
from tests.faults.traps import Strike
from tests.integration.workers.pipelines import SLOW
from tests.waiting import wait_for


def test_a_child_frozen_beyond_its_lease_loses_the_job_and_its_late_result(
    system: FaultySystem,
) -> None:
    post = system.post(seed=SLOW, seconds=3.0)
    (job_id,) = accepted(post)
    await_job(system, job_id, progress=0.2)
    silent = holder(system, job_id)
    dropped = metric(system, silent, DROPPED)
    system.freeze(f"{silent}{CHILD}")
    await_job(system, job_id, attempt=2)
    system.thaw(f"{silent}{CHILD}")
    wait_for(lambda: metric(system, silent, DROPPED) == dropped + 1)

    job = system.check(post).jobs[job_id]
    assert (job.status, job.attempt) == (JobStatus.SUCCEEDED, 2)


def test_a_worker_frozen_while_finishing_leaves_no_video(
    system: FaultySystem,
) -> None:
    finishing = Strike("JobStore.finish", "before", "stop")
    traps = [system.arm(f"worker-{n}{CHILD}", finishing) for n in (1, 2)]
    post = system.post()
    (job_id,) = accepted(post)
    wait_for(lambda: any(trap.is_struck for trap in traps))
    silent = next(trap.name for trap in traps if trap.is_struck)
    for trap in traps:
        trap.disarm()
    system.freeze(silent.removesuffix(CHILD))
    await_job(system, job_id, status=JobStatus.SUCCEEDED)
    left = objects(system, job_id)
    system.thaw(silent)
    system.thaw(silent.removesuffix(CHILD))

    job = system.check(post).jobs[job_id]
    assert job.attempt == 2
    assert "attempts/1/video.mp4" in left
    kept = objects(system, job_id)
    assert kept > {f"attempts/2/{name}" for name in ("video.mp4", "poster.jpg", "landmarks.npz")}
    assert all(name.startswith("attempts/2/") for name in kept)


@pytest.mark.parametrize("is_dead", [False, pytest.param(True, marks=pytest.mark.thorough)])
def test_a_worker_takes_the_next_job_although_its_broker_missed_an_acknowledgement(
    system: FaultySystem, is_dead: bool
) -> None:
    system.freeze("worker-2")  # or it would take the next job
    acknowledging = Strike("QoS.ack", "before", "tell")
    trap = system.arm("worker-1", acknowledging)
    post = system.post()
    name = system.await_strike(trap, acknowledging)
    log = system.folder / "logs" / f"{name}.log"
    if is_dead:
        kill_told(system, trap, acknowledging, VALKEY)
    else:
        system.freeze(VALKEY)
        written = log.stat().st_size
        trap.release()
        wait_for(lambda: log.stat().st_size > written)  # the acknowledgement failed
        system.thaw(VALKEY)

    require_success(system, post)
    job = require_success(system, system.post())
    assert job.id in log.read_text()


@pytest.mark.thorough
def test_a_worker_resumed_after_its_job_was_deleted_leaves_nothing(
    system: FaultySystem,
) -> None:
    post = system.post(seed=SLOW, seconds=3.0, webhook=False)
    (job_id,) = accepted(post)
    await_job(system, job_id, progress=0.2)
    silent = holder(system, job_id)
    system.freeze(f"{silent}{CHILD}")
    system.callers.delete(job_id)
    wait_for(lambda: not system.store.maintenance.cleanups_due() and not objects(system, job_id))
    system.thaw(f"{silent}{CHILD}")

    later = system.post()
    assert job_id not in system.check(later).jobs
    assert not objects(system, job_id)
