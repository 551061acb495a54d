"""Whatever dies at whatever step of a job's story: the job ends once, and nothing is left over.

Each case strikes one process at one named step, before or after it; what died is started again as
a supervisor would, and the system comes to rest. A fixed selection runs with every `make test`,
all of them with `make faults`.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

import pytest
from _pytest.mark import ParameterSet

from client import JobView
from jobs.job import Job, JobStatus
from tests.faults.callers import Post
from tests.faults.fleet import PATIENCE
from tests.faults.history import Deleted
from tests.faults.steps import CHILD, HOUSEKEEPING, PARENT, SERVICE, WEBHOOKS, Strike, Trap
from tests.faults.system import S3, VALKEY, FaultySystem
from tests.waiting import wait_for

OBJECTS = {
    SERVICE: ("portrait", "audio", "request.json"),
    CHILD: ("video.mp4", "poster.jpg", "landmarks.npz"),
}
"""What a program stores, one call of `ObjectStorage.put` each."""


def strikes(paths: Iterable[str], objects: Iterable[str] = ()) -> list[Strike]:
    """Return a kill before and after each step; storing is as many steps as there are objects."""
    found = []
    for path in paths:
        step = path.partition(":")[2]
        abouts = objects if step == "ObjectStorage.put" else ("",)
        found += [Strike(step, when, about=a) for a in abouts for when in ("before", "after")]
    return found


def cases(every: Iterable[Strike], *quick: str) -> list[ParameterSet]:
    """Return the strikes as parameters, those not named as `quick` for `make faults` alone."""
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
"""A job that goes well fails nowhere, and nobody gives it up."""
RETRYING = ("requeue_expired", "dispatch", "mark_dispatched")
CLEARING = ("_clear_job", "delete_prefix", "mark_cleared")
RESTORING = ("_read_journal", "_restore", "accept", "mark_journal_read")


def housekeeping_strikes(*functions: str) -> list[Strike]:
    """Return a kill before and after each of these steps of the housekeeping."""
    return [each for each in strikes(HOUSEKEEPING) if each.step.partition(".")[2] in functions]


def require_success(system: FaultySystem, post: Post, attempt: int | None = None) -> Job:
    """Return the post's job, which ended well with every promise kept."""
    snapshot = system.check(post)
    view: JobView = post.ended.result()
    job = snapshot.jobs[view.id]
    assert job.status is JobStatus.SUCCEEDED, system.report()
    if attempt is not None:
        assert job.attempt == attempt, system.report()
    return job


def kill_at(system: FaultySystem, role: str, strike: Strike, **options: object) -> Post:
    """Post a job, have a process die at a step of it, and start that again."""
    trap = system.arm(role, strike)
    post = system.post(**options)
    system.revive(system.await_strike(trap, strike))
    return post


def kill_meanwhile(system: FaultySystem, role: str, strike: Strike, victim: str) -> Post:
    """Post a job, and kill another process at the very moment that a process is at a step."""
    told = replace(strike, deed="tell")
    trap = system.arm(role, told)
    post = system.post()
    kill_told(system, trap, told, victim)
    return post


def kill_told(system: FaultySystem, trap: Trap, told: Strike, victim: str) -> None:
    """Kill a process once another comes to its step, let that go on, and start the killed again."""
    name = system.await_strike(trap, told)
    system.kill(victim, f"{name} {told}")
    trap.release()
    system.revive(victim)


@pytest.mark.parametrize(
    "strike",
    cases(
        SERVICE_STRIKES,
        "after ObjectStorage.put(portrait)",
        "before JobStore.accept",
        "after JobStore.accept",
        "before JobStore.mark_dispatched",
    ),
)
def test_a_service_that_dies_loses_no_job_and_makes_none_twice(
    system: FaultySystem, strike: Strike
) -> None:
    post = kill_at(system, "service", strike)

    require_success(system, post)


@pytest.mark.parametrize(
    "strike",
    cases(
        CHILD_STRIKES,
        "after JobStore.claim",
        "after Progress._report_frames",
        "after ObjectStorage.put(video.mp4)",
        "before JobStore.finish",
        "after JobStore.finish",
    ),
)
def test_a_job_whose_workers_child_dies_is_finished_by_another_attempt(
    system: FaultySystem, strike: Strike
) -> None:
    post = kill_at(system, "worker.child", strike)

    require_success(system, post)


@pytest.mark.parametrize(
    "strike", cases(strikes(PARENT), "after Channel._brpop_read", "before QoS.ack")
)
def test_a_job_whose_workers_parent_dies_is_finished_all_the_same(
    system: FaultySystem, strike: Strike
) -> None:
    post = kill_at(system, "worker", strike)

    require_success(system, post)


def post_and_lose_its_worker(system: FaultySystem) -> Post:
    """Post a job whose worker dies over it, so that the housekeeping has something to do."""
    lost = Strike("Progress._report_frames", "after")
    child = system.arm("worker.child", lost)
    post = system.post()
    system.await_strike(child, lost)
    return post


@pytest.mark.parametrize(
    "strike",
    cases(
        housekeeping_strikes(*RETRYING, *CLEARING),
        "after JobStore.requeue_expired",
        "before JobStore.mark_dispatched",
        "after ObjectStorage.delete_prefix",
    ),
)
def test_a_housekeeping_that_dies_is_taken_up_where_it_was(
    system: FaultySystem, strike: Strike
) -> None:
    post = post_and_lose_its_worker(system)
    trap = system.arm("housekeeping", strike)
    system.revive(system.await_strike(trap, strike))

    require_success(system, post, attempt=2)


@pytest.mark.parametrize("strike", cases(housekeeping_strikes(*RESTORING), "after JobStore.accept"))
def test_a_housekeeping_that_dies_restoring_a_job_restores_it_once(
    system: FaultySystem, strike: Strike
) -> None:
    before_its_record = Strike("JobStore.accept")
    service = system.arm("service", before_its_record)
    unheard = system.post(patient=False)
    name = system.await_strike(service, before_its_record)
    trap = system.arm("housekeeping", strike)
    unheard.ended.exception(PATIENCE)
    system.revive(name, system.await_strike(trap, strike))

    (job,) = system.check().jobs.values()
    assert job.status is JobStatus.SUCCEEDED
    assert job.idempotency is not None
    assert job.idempotency.key == unheard.key


@pytest.fixture
def hasty_housekeeping(system: FaultySystem) -> Iterator[None]:
    """Let whatever ended more than a third of a second ago be deleted."""
    system.restart("housekeeping-1", AMIGO_RETENTION_HOURS="0.0001")
    yield
    system.restart("housekeeping-1", AMIGO_RETENTION_HOURS="24")


def await_an_empty_bucket(system: FaultySystem) -> None:
    """Return once no object of any job is left."""
    wait_for(lambda: not system.snapshot().objects, PATIENCE)


@pytest.mark.parametrize("strike", cases(housekeeping_strikes("delete", *CLEARING)))
def test_a_housekeeping_that_dies_deleting_an_old_job_deletes_all_of_it(
    system: FaultySystem, strike: Strike, request: pytest.FixtureRequest
) -> None:
    post = system.post(webhook=False)
    job_id = require_success(system, post).id
    system.history.record(Deleted(job_id, by="retention"))
    trap = system.arm("housekeeping", strike)
    request.getfixturevalue("hasty_housekeeping")
    system.revive(system.await_strike(trap, strike))

    await_an_empty_bucket(system)
    assert not system.check(post).jobs


def test_what_a_request_that_was_cut_short_had_stored_is_swept(
    system: FaultySystem, request: pytest.FixtureRequest
) -> None:
    cut = Strike("ObjectStorage.put", "after", about="portrait")
    trap = system.arm("service", cut)
    post = system.post(patient=False)
    name = system.await_strike(trap, cut)
    post.ended.exception(PATIENCE)
    system.revive(name)
    assert system.check(post).objects

    request.getfixturevalue("hasty_housekeeping")
    await_an_empty_bucket(system)
    assert not system.check(post).jobs


@pytest.mark.parametrize(
    "strike", cases(strikes(WEBHOOKS), "before Courier.deliver", "after Courier._post")
)
def test_a_courier_that_dies_leaves_no_news_untold(system: FaultySystem, strike: Strike) -> None:
    post = kill_at(system, "webhooks", strike)

    require_success(system, post, attempt=1)


@pytest.mark.parametrize(
    "strike",
    cases(SERVICE_STRIKES, "before JobStore.accept", "after JobStore.accept"),
)
def test_valkey_may_die_at_any_step_of_the_service(system: FaultySystem, strike: Strike) -> None:
    post = kill_meanwhile(system, "service", strike, VALKEY)

    require_success(system, post)


@pytest.mark.parametrize("strike", cases(CHILD_STRIKES, "before JobStore.finish"))
def test_valkey_may_die_at_any_step_of_a_worker(system: FaultySystem, strike: Strike) -> None:
    post = kill_meanwhile(system, "worker.child", strike, VALKEY)

    require_success(system, post)


@pytest.mark.parametrize("strike", cases(strikes(WEBHOOKS), "before WebhookOutbox.record"))
def test_valkey_may_die_at_any_step_of_a_courier(system: FaultySystem, strike: Strike) -> None:
    post = kill_meanwhile(system, "webhooks", strike, VALKEY)

    require_success(system, post)


@pytest.mark.parametrize(
    "strike",
    cases(housekeeping_strikes(*RETRYING, *CLEARING), "after JobStore.requeue_expired"),
)
@pytest.mark.parametrize("victim", [VALKEY, pytest.param(S3, marks=pytest.mark.thorough)])
def test_either_store_may_die_at_any_step_of_the_housekeeping(
    system: FaultySystem, strike: Strike, victim: str
) -> None:
    post = post_and_lose_its_worker(system)
    told = replace(strike, deed="tell")
    kill_told(system, system.arm("housekeeping", told), told, victim)

    require_success(system, post)


@pytest.mark.parametrize("strike", cases(SERVICE_STRIKES, "before ObjectStorage.put(audio)"))
def test_the_object_store_may_die_at_any_step_of_the_service(
    system: FaultySystem, strike: Strike
) -> None:
    post = kill_meanwhile(system, "service", strike, S3)

    require_success(system, post)


@pytest.mark.parametrize("strike", cases(CHILD_STRIKES, "before ObjectStorage.put(video.mp4)"))
def test_the_object_store_may_die_at_any_step_of_a_worker(
    system: FaultySystem, strike: Strike
) -> None:
    post = kill_meanwhile(system, "worker.child", strike, S3)

    require_success(system, post)


@pytest.mark.parametrize(
    "strike", cases(CHILD_STRIKES, "before ObjectStorage.put(video.mp4)", "before JobStore.finish")
)
def test_a_worker_that_slept_through_the_next_attempt_changes_nothing(
    system: FaultySystem, strike: Strike
) -> None:
    asleep = replace(strike, deed="stop")
    trap = system.arm("worker.child", asleep)
    post = system.post()
    name = system.await_strike(trap, asleep)
    job_id = post.accepted.result(PATIENCE)
    system.settle(post)
    system.thaw(name)
    log = system.folder / "logs" / f"{name.removesuffix('.child')}.log"
    wait_for(lambda: re.search(rf"job={job_id}.* (outcome=|not taken)", log.read_text()), PATIENCE)

    require_success(system, post)
