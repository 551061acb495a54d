"""The cases of killing at each step, and their common parts."""

from collections.abc import Iterable
from dataclasses import replace

import pytest
from _pytest.mark import ParameterSet

from jobs.job import Job, JobStatus
from tests.faults.callers import Post
from tests.faults.steps import CHILD, RECONCILER, SERVICE
from tests.faults.system import FaultySystem
from tests.faults.traps import Strike, Trap
from tests.waiting import wait_for

OBJECTS = {
    SERVICE: ("portrait", "audio", "request.json"),
    CHILD: ("video.mp4", "poster.jpg", "landmarks.npz"),
}
"""What a program stores, one call of `ObjectStorage.put` each."""


def strikes(paths: Iterable[str], objects: Iterable[str] = ()) -> list[Strike]:
    """Return a kill before and after each step; storing is one step per object."""
    found = []
    for path in paths:
        step = path.partition(":")[2]
        abouts = objects if step == "ObjectStorage.put" else ("",)
        found += [Strike(step, when, about=a) for a in abouts for when in ("before", "after")]
    return found


def cases(every: Iterable[Strike], *quick: str) -> list[ParameterSet]:
    """Return the strikes as parameters; those not in `quick` only run in `make faults`."""
    names = set(quick)
    found = []
    for strike in every:
        is_quick = str(strike) in names
        names.discard(str(strike))
        marks = () if is_quick else pytest.mark.thorough
        found.append(pytest.param(strike, id=str(strike), marks=marks))
    assert not names, f"No such strikes: {names}"
    return found


SERVICE_STRIKES = strikes(SERVICE, OBJECTS[SERVICE])
UNUSED = {"JobStore.fail", "JobStore.requeue", "JobStore.postpone", "JobQueue.dispatch"}
CHILD_STRIKES = [s for s in strikes(CHILD, OBJECTS[CHILD]) if s.step not in UNUSED]
"""A successful job never fails, and is never given up."""
RETRYING = ("requeue_expired", "dispatch", "mark_dispatched")
CLEARING = ("_clear_job", "delete_prefix", "mark_cleared")
RESTORING = ("_continue_pass", "_look_at", "_restore", "accept", "mark_journal_read")


def reconciler_strikes(*functions: str) -> list[Strike]:
    """Return a kill before and after each of these steps of the reconciler."""
    return [each for each in strikes(RECONCILER) if each.step.partition(".")[2] in functions]


def require_success(system: FaultySystem, post: Post, attempt: int | None = None) -> Job:
    """Return the job, which ended well with all guarantees kept."""
    snapshot = system.check(post)
    job = snapshot.jobs[post.ended.result().id]
    is_right = job.status is JobStatus.SUCCEEDED and attempt in (None, job.attempt)
    assert is_right, f"{job.status} in attempt {job.attempt}\n{system.report()}"
    return job


def kill_at(system: FaultySystem, role: str, strike: Strike) -> Post:
    """Submit a job, kill a process at one of its steps, and restart it."""
    trap = system.arm(role, strike)
    post = system.post()
    system.revive(system.await_strike(trap, strike))
    return post


def kill_meanwhile(system: FaultySystem, role: str, strike: Strike, victim: str) -> Post:
    """Submit a job, and kill another process exactly when a process is at a step."""
    told = replace(strike, deed="tell")
    trap = system.arm(role, told)
    post = system.post()
    kill_told(system, trap, told, victim)
    return post


def kill_told(system: FaultySystem, trap: Trap, told: Strike, victim: str) -> None:
    """Kill a process while another waits at a step, then release and restart them."""
    name = system.await_strike(trap, told)
    system.kill(victim, f"{name} {told}")
    trap.release()
    system.revive(victim)


def post_and_lose_its_worker(system: FaultySystem) -> Post:
    """Submit a job whose worker dies, so that the reconciler has work to do."""
    lost = Strike("Attempt._note_rendered", "after")
    child = system.arm("worker.child", lost)
    post = system.post()
    system.await_strike(child, lost)
    return post


def await_an_empty_bucket(system: FaultySystem) -> None:
    """Wait until no object of any job is left."""
    wait_for(lambda: not system.snapshot().objects)
