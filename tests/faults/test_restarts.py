"""Processes stopped while there is work, and jobs that kill their process."""

from collections.abc import Iterator

import pytest

from jobs.job import MAX_ATTEMPTS, JobStatus
from tests.faults.history import GivenUp
from tests.faults.observing import accepted
from tests.faults.system import FaultySystem
from tests.integration.workers.pipelines import POISON, SLOW

pytestmark = pytest.mark.thorough

ROLLED = ("service-1", "worker-1", "reconciler-1", "webhooks-1", "service-2", "worker-2")


@pytest.fixture(scope="module")
def running_system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultySystem]:
    with FaultySystem(tmp_path_factory.mktemp("system"), services=2, workers=2) as system:
        yield system


def test_a_rolling_restart_under_load_loses_no_job_and_no_attempt(system: FaultySystem) -> None:
    posts = []
    for name in ROLLED:
        posts += [system.post(seed=SLOW, seconds=2.0), system.post()]
        accepted(posts[0])
        system.terminate(name)
        system.revive(name)

    jobs = system.check(*posts).jobs
    job_ids = accepted(*posts)
    assert {jobs[each].status for each in job_ids} == {JobStatus.SUCCEEDED}
    assert all(jobs[each].attempts_counted == 1 for each in job_ids)
    assert not list(system.history.each(GivenUp))


def test_a_job_that_always_kills_its_worker_fails_without_affecting_others(
    system: FaultySystem,
) -> None:
    poison = system.post(seed=POISON)
    others = [system.post() for _ in range(4)]

    jobs = system.check(poison, *others).jobs
    (poisoned,) = accepted(poison)
    failure = jobs[poisoned].failure
    assert failure is not None
    assert failure.code == "worker_lost"
    assert jobs[poisoned].attempt == MAX_ATTEMPTS
    assert {jobs[each].status for each in accepted(*others)} == {JobStatus.SUCCEEDED}
