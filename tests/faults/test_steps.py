"""Whatever process dies at whatever step of a job: the job ends once, and nothing is left over.

Each case strikes one process at one named step, before or after it. The dead process is restarted,
and the system comes to rest. `make test` runs a fixed selection, `make faults` all cases.
"""

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest

from jobs.job import JobStatus
from tests.faults.fleet import CHILD
from tests.faults.history import Deleted
from tests.faults.reckoning import NOT_TAKEN
from tests.faults.steps import PARENT, WEBHOOKS
from tests.faults.striking import (
    CHILD_STRIKES,
    CLEARING,
    RESTORING,
    RETRYING,
    SERVICE_STRIKES,
    await_an_empty_bucket,
    cases,
    kill_at,
    kill_meanwhile,
    kill_told,
    post_and_lose_its_worker,
    reconciler_strikes,
    require_success,
    strikes,
)
from tests.faults.system import S3, VALKEY, FaultySystem
from tests.faults.traps import Strike
from tests.waiting import PATIENCE, wait_for


@pytest.mark.parametrize(
    "strike",
    cases(
        SERVICE_STRIKES,
        "before JobStore.accept",
        "after JobStore.accept",
    ),
)
def test_a_service_that_dies_loses_and_duplicates_no_job(
    system: FaultySystem, strike: Strike
) -> None:
    post = kill_at(system, "service", strike)

    require_success(system, post)


@pytest.mark.parametrize(
    "strike",
    cases(
        CHILD_STRIKES,
        "after Attempt._note_rendered",
        "after JobStore.finish",
    ),
)
def test_another_attempt_finishes_the_job_if_a_workers_child_dies(
    system: FaultySystem, strike: Strike
) -> None:
    post = kill_at(system, "worker.child", strike)

    require_success(system, post)


@pytest.mark.parametrize("strike", cases(strikes(PARENT), "after Channel._brpop_read"))
def test_the_job_is_finished_if_a_workers_parent_dies(system: FaultySystem, strike: Strike) -> None:
    post = kill_at(system, "worker", strike)

    require_success(system, post)


@pytest.mark.parametrize(
    "strike",
    cases(
        reconciler_strikes(*RETRYING, *CLEARING),
        "after JobStore.requeue_expired",
    ),
)
def test_the_next_round_continues_where_a_dead_reconciler_stopped(
    system: FaultySystem, strike: Strike
) -> None:
    post = post_and_lose_its_worker(system)
    trap = system.arm("reconciler", strike)
    system.revive(system.await_strike(trap, strike))

    require_success(system, post, attempt=2)


@pytest.mark.parametrize("strike", cases(reconciler_strikes(*RESTORING), "after JobStore.accept"))
def test_a_reconciler_that_dies_restoring_a_job_restores_it_once(
    system: FaultySystem, strike: Strike
) -> None:
    before_its_record = Strike("JobStore.accept")
    service = system.arm("service", before_its_record)
    unheard = system.post(patient=False)
    name = system.await_strike(service, before_its_record)
    trap = system.arm("reconciler", strike)
    unheard.ended.exception(PATIENCE)
    system.revive(name, system.await_strike(trap, strike))

    (job,) = system.check().jobs.values()
    assert job.status is JobStatus.SUCCEEDED
    assert job.idempotency is not None
    assert job.idempotency.key == unheard.key


@pytest.fixture
def hasty_reconciler(system: FaultySystem) -> Iterator[None]:
    """Delete jobs that ended more than a third of a second ago."""
    system.restart("reconciler-1", AMIGO_RETENTION_HOURS="0.0001")
    yield
    system.restart("reconciler-1", AMIGO_RETENTION_HOURS="24")


@pytest.mark.parametrize("strike", cases(reconciler_strikes("delete", *CLEARING)))
def test_a_reconciler_that_dies_deleting_an_old_job_deletes_all_of_it(
    system: FaultySystem, strike: Strike, request: pytest.FixtureRequest
) -> None:
    post = system.post(webhook=False)
    job_id = require_success(system, post).id
    system.history.record(Deleted(job_id, by="retention"))
    trap = system.arm("reconciler", strike)
    request.getfixturevalue("hasty_reconciler")
    system.revive(system.await_strike(trap, strike))

    await_an_empty_bucket(system)
    assert not system.check(post).jobs


def test_objects_of_an_interrupted_request_are_swept(
    system: FaultySystem, request: pytest.FixtureRequest
) -> None:
    cut = Strike("ObjectStorage.put", "after", about="portrait")
    trap = system.arm("service", cut)
    post = system.post(patient=False)
    name = system.await_strike(trap, cut)
    post.ended.exception(PATIENCE)
    system.revive(name)
    assert system.check(post).objects

    request.getfixturevalue("hasty_reconciler")
    await_an_empty_bucket(system)
    assert not system.check(post).jobs


@pytest.mark.parametrize("strike", cases(strikes(WEBHOOKS), "after WebhookSender._post"))
def test_every_webhook_is_sent_although_a_sender_dies(system: FaultySystem, strike: Strike) -> None:
    post = kill_at(system, "webhooks", strike)

    require_success(system, post, attempt=1)


@pytest.mark.parametrize(
    "strike",
    cases(SERVICE_STRIKES, "after JobStore.accept"),
)
def test_valkey_may_die_at_any_step_of_the_service(system: FaultySystem, strike: Strike) -> None:
    post = kill_meanwhile(system, "service", strike, VALKEY)

    require_success(system, post)


@pytest.mark.parametrize("strike", cases(CHILD_STRIKES, "before JobStore.finish"))
def test_valkey_can_die_at_any_step_of_a_worker(system: FaultySystem, strike: Strike) -> None:
    post = kill_meanwhile(system, "worker.child", strike, VALKEY)

    require_success(system, post)


@pytest.mark.parametrize("strike", cases(strikes(WEBHOOKS)))
def test_valkey_may_die_at_any_step_of_a_sender(system: FaultySystem, strike: Strike) -> None:
    post = kill_meanwhile(system, "webhooks", strike, VALKEY)

    require_success(system, post)


@pytest.mark.parametrize(
    "strike",
    cases(reconciler_strikes(*RETRYING, *CLEARING), "after JobStore.requeue_expired"),
)
@pytest.mark.parametrize("victim", [VALKEY, pytest.param(S3, marks=pytest.mark.thorough)])
def test_either_store_may_die_at_any_step_of_the_reconciler(
    system: FaultySystem, strike: Strike, victim: str
) -> None:
    post = post_and_lose_its_worker(system)
    told = replace(strike, deed="tell")
    kill_told(system, system.arm("reconciler", told), told, victim)

    require_success(system, post)


@pytest.mark.parametrize("strike", cases(SERVICE_STRIKES, "before ObjectStorage.put(audio)"))
def test_the_object_store_may_die_at_any_step_of_the_service(
    system: FaultySystem, strike: Strike
) -> None:
    post = kill_meanwhile(system, "service", strike, S3)

    require_success(system, post)


@pytest.mark.parametrize("strike", cases(CHILD_STRIKES, "before ObjectStorage.put(video.mp4)"))
def test_the_object_store_can_die_at_any_step_of_a_worker(
    system: FaultySystem, strike: Strike
) -> None:
    post = kill_meanwhile(system, "worker.child", strike, S3)

    require_success(system, post)


@pytest.mark.parametrize("strike", cases(CHILD_STRIKES, "before ObjectStorage.put(video.mp4)"))
def test_a_worker_frozen_through_the_next_attempt_changes_nothing(
    system: FaultySystem, strike: Strike
) -> None:
    asleep = replace(strike, deed="stop")
    trap = system.arm("worker.child", asleep)
    post = system.post()
    name = system.await_strike(trap, asleep)
    job_id = post.accepted.result(PATIENCE)
    system.settle(post)
    system.thaw(name)
    log = system.folder / "logs" / f"{name.removesuffix(CHILD)}.log"
    wait_for(lambda: re.search(rf"job={job_id}.* (outcome=|{NOT_TAKEN})", log.read_text()))

    require_success(system, post)
