import threading

import pytest

from jobs.errors import StaleAttempt, StoreUnavailable
from tests.waiting import wait_for
from workers.synthesis.heartbeat import Heartbeat, Limit

DEADLINE = 10.0
"""Seconds."""


class Lease:
    """Counts what a heartbeat does, and lets a test wait for it."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.renewals = 0
        self.renewed_thrice = threading.Event()
        self.over: Limit | None = None
        self.let_go = threading.Event()
        self.ended = threading.Event()
        self.must_stop = False

    def renew(self) -> None:
        self.renewals += 1
        if self.renewals == 3:
            self.renewed_thrice.set()
        if self.error:
            raise self.error

    def part(self, over: Limit | None) -> None:
        self.over = over
        self.let_go.set()

    def heartbeat(self, *, limit: float = 60.0, parting: float = 60.0) -> Heartbeat:
        heartbeat = Heartbeat(
            "job=job_1 attempt=1",
            self.renew,
            self.part,
            must_stop=lambda: self.must_stop,
            interval=0.001,
            parting=parting,
            end_process=self.ended.set,
        )
        heartbeat.allow("rendering", limit)
        return heartbeat


def test_the_lease_is_renewed_again_and_again_until_the_end() -> None:
    lease = Lease()
    with lease.heartbeat():
        assert lease.renewed_thrice.wait(DEADLINE)

    assert "heartbeat" not in {thread.name for thread in threading.enumerate()}
    assert not lease.let_go.is_set()


def test_a_silent_store_is_asked_again() -> None:
    lease = Lease(StoreUnavailable("Valkey does not answer."))
    with lease.heartbeat():
        assert lease.renewed_thrice.wait(DEADLINE)


def test_a_lost_lease_is_not_renewed_again() -> None:
    lease = Lease(StaleAttempt("Attempt 1 no longer holds the job."))
    with lease.heartbeat():
        assert not lease.renewed_thrice.wait(0.05)
    assert lease.renewals == 1


def test_a_job_is_let_go_and_the_step_told_that_took_too_long(
    caplog: pytest.LogCaptureFixture,
) -> None:
    lease = Lease()
    with lease.heartbeat(limit=0.0) as heartbeat:
        assert lease.let_go.wait(DEADLINE)
    assert heartbeat.has_let_go
    assert not lease.ended.is_set()
    assert str(lease.over) == "rendering exceeded its time limit of 0 s"
    assert str(lease.over) in caplog.text


def test_the_limit_of_a_step_that_is_over_does_not_count() -> None:
    lease = Lease()
    heartbeat = lease.heartbeat(limit=0.0)
    heartbeat.allow("storing", 60.0)
    with heartbeat:
        assert lease.renewed_thrice.wait(DEADLINE)
    assert not heartbeat.has_let_go


def test_a_worker_that_must_stop_lets_its_job_go() -> None:
    lease = Lease()
    with lease.heartbeat():
        assert lease.renewed_thrice.wait(DEADLINE)
        lease.must_stop = True
        assert lease.let_go.wait(DEADLINE)
    assert lease.over is None


@pytest.mark.parametrize("error", [None, StaleAttempt("Attempt 1 no longer holds the job.")])
def test_an_attempt_that_goes_on_without_its_job_ends_the_process(error: Exception | None) -> None:
    lease = Lease(error)
    with lease.heartbeat(parting=0.01) as heartbeat:
        wait_for(lambda: lease.renewals)
        heartbeat.allow("rendering", 0.0)
        assert lease.ended.wait(DEADLINE)
    assert lease.let_go.is_set() == (error is None)


def test_a_job_that_cannot_be_let_go_is_left_to_its_lease() -> None:
    lease = Lease()

    def refuse(_: object) -> None:
        lease.let_go.set()
        raise StoreUnavailable("Valkey does not answer.")

    with Heartbeat(
        "job=job_1 attempt=1",
        lease.renew,
        refuse,
        must_stop=lambda: True,
        interval=0.001,
        parting=60.0,
    ):
        assert lease.let_go.wait(DEADLINE)
    assert lease.renewals == 0
