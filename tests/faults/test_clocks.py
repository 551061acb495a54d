"""Clocks that jump by an hour while jobs run, and clocks that differ from each other."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from jobs.job import JobStatus
from tests.faults.clock import Clock, needs_faketime
from tests.faults.fleet import CHILD
from tests.faults.history import Faulted
from tests.faults.observing import accepted, await_job, holder
from tests.faults.system import VALKEY, FaultySystem
from tests.integration.workers.pipelines import SLOW
from tests.waiting import PATIENCE

pytestmark = [needs_faketime, pytest.mark.thorough]

HOUR = 3600.0
TEN_MINUTES = 600.0
"""The maximum clock difference that an object store accepts."""


@pytest.fixture(scope="module")
def running_system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultySystem]:
    with FaultySystem(tmp_path_factory.mktemp("system"), workers=2) as system:
        yield system


@pytest.fixture
def clock(system: FaultySystem) -> Iterator[Clock]:
    """Valkey's clock, which leases and messages use."""
    clock = Clock(system.folder / "clock")
    system.restart(VALKEY, **clock.environment)
    yield clock
    clock.step(0)
    system.restart(VALKEY, LD_PRELOAD="")


def step(system: FaultySystem, clock: Clock, seconds: float) -> None:
    clock.step(seconds)
    system.history.record(Faulted("step the clock of", VALKEY, f"{seconds:+.0f} s"))


@pytest.mark.parametrize(
    "seconds",
    [
        pytest.param(HOUR, id="forward"),
        pytest.param(-HOUR, id="backward"),
    ],
)
def test_jobs_end_once_when_valkeys_clock_jumps(
    system: FaultySystem, clock: Clock, seconds: float
) -> None:
    posts = [system.post(seed=SLOW, seconds=2.0) for _ in range(4)]
    job_ids = accepted(*posts)
    await_job(system, job_ids[0], progress=0.2)
    step(system, clock, seconds)
    posts.append(system.post())
    for post in posts:
        assert post.ended.result(PATIENCE).status == JobStatus.SUCCEEDED
    if seconds < 0:
        clock.step(0)  # leftovers of jobs are swept that much later

    system.check(*posts)


def test_a_child_that_is_killed_after_the_clock_went_back_is_missed_at_once(
    system: FaultySystem, clock: Clock
) -> None:
    post = system.post(seed=SLOW, seconds=3.0)
    (job_id,) = accepted(post)
    await_job(system, job_id, progress=0.2)
    worker = f"{holder(system, job_id)}{CHILD}"
    system.freeze(worker)
    step(system, clock, -HOUR)
    system.kill(worker)
    assert post.ended.result(PATIENCE).status == JobStatus.SUCCEEDED
    clock.step(0)

    assert system.check(post).jobs[job_id].attempt == 2


@pytest.mark.parametrize("offset", [TEN_MINUTES, -TEN_MINUTES], ids=["ahead", "behind"])
def test_workers_and_services_work_with_wrong_clocks(
    system: FaultySystem, tmp_path: Path, offset: float
) -> None:
    clock = Clock(tmp_path / "clock")
    clock.step(offset)
    for name in ("service-1", "worker-1", "reconciler-1"):
        system.restart(name, **clock.environment)
        system.history.record(Faulted("skew the clock of", name, f"{offset:+.0f} s"))
    posts = [system.post(seed=SLOW) for _ in range(4)]

    system.check(*posts)
    for name in ("service-1", "worker-1", "reconciler-1"):
        system.restart(name, LD_PRELOAD="")
