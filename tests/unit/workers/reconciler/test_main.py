import pytest

from jobs.errors import StorageUnavailable, StoreUnavailable
from tests.interruptions import ends, interrupted
from workers.reconciler.__main__ import StopRequest, run_rounds
from workers.reconciler.metrics import ReconcilerMetrics
from workers.reconciler.reconciler import Reconciler
from workers.reconciler.tally import Tally


class FakeReconciler(Reconciler):
    """Does what it is told in each round, and requests the stop with the last."""

    def __init__(self, rounds: list[Tally | Exception], stop: StopRequest) -> None:
        self.rounds = rounds
        self.stop = stop

    def run_once(self) -> Tally:
        what = self.rounds.pop(0)
        if not self.rounds:
            self.stop.make()
        if isinstance(what, Exception):
            raise what
        return what


def run(rounds: list[Tally | Exception]) -> ReconcilerMetrics:
    stop, metrics = StopRequest(), ReconcilerMetrics()
    run_rounds(FakeReconciler(rounds, stop), metrics, 0.001, stop)
    return metrics


def test_rounds_follow_each_other_until_it_is_stopped(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    run([Tally(), Tally(requeued=2), Tally()])
    _, *rounds = [record.getMessage() for record in caplog.records]
    assert rounds == [str(Tally(requeued=2))]


def test_an_outage_is_logged_and_survived(caplog: pytest.LogCaptureFixture) -> None:
    run([StoreUnavailable("Valkey does not answer."), Tally()])
    assert "Valkey does not answer." in caplog.text


def test_rounds_and_repairs_are_counted() -> None:
    silent = StoreUnavailable("Valkey does not answer.")
    metrics = run([Tally(requeued=2, failed=1, lost=1), silent, Tally(requeued=1)])

    def count(name: str, **labels: str) -> float | None:
        return metrics.registry.get_sample_value(f"amigo_reconciler_{name}_total", labels)

    assert (count("rounds", end="done"), count("rounds", end="cut_short")) == (2, 1)
    repairs = [count("repairs", repair=name) for name in ("requeued", "failed", "lost", "restored")]
    assert repairs == [3, 1, 1, 0]


def test_jobs_whose_files_were_not_deleted_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeReconciler, "undeleted", 2)
    metrics = run([StorageUnavailable("2 objects were not deleted.")])
    assert metrics.registry.get_sample_value("amigo_reconciler_undeleted_jobs") == 2


def test_the_duration_of_a_pass_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeReconciler, "pass_seconds", 90.0)
    metrics = run([Tally()])
    assert metrics.registry.get_sample_value("amigo_reconciler_pass_seconds") == 90


def test_rounds_of_a_pass_do_not_wait_for_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeReconciler, "is_reading", True)
    stop, pauses = StopRequest(), list[float]()
    monkeypatch.setattr(stop, "wait", pauses.append)
    rounds: list[Tally | Exception] = [Tally(), StorageUnavailable("It is down."), Tally()]
    run_rounds(FakeReconciler(rounds, stop), ReconcilerMetrics(), 5.0, stop)
    assert pauses == [0, 5.0, 0]


def test_any_other_error_ends_it() -> None:
    with pytest.raises(ZeroDivisionError):
        run([ZeroDivisionError("a fault"), Tally()])


@pytest.mark.parametrize("point", range(20))
def test_a_signal_may_interrupt_the_wait_anywhere(point: int) -> None:
    stop = StopRequest()
    assert ends(lambda: interrupted(lambda: stop.wait(0.01), point, stop.make))
