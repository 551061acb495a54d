import threading

import pytest

from jobs.errors import StoreUnavailable
from workers.reconciler.__main__ import keep_house
from workers.reconciler.metrics import HouseMetrics
from workers.reconciler.reconciler import Reconciler, Tally


class FakeReconciler(Reconciler):
    """Does what it is told in each round, and sets `stop` with the last."""

    def __init__(self, rounds: list[Tally | Exception], stop: threading.Event) -> None:
        self.rounds = rounds
        self.stop = stop

    def run_once(self) -> Tally:
        what = self.rounds.pop(0)
        if not self.rounds:
            self.stop.set()
        if isinstance(what, Exception):
            raise what
        return what


def keep(rounds: list[Tally | Exception]) -> HouseMetrics:
    stop, metrics = threading.Event(), HouseMetrics()
    keep_house(FakeReconciler(rounds, stop), metrics, 0.001, stop)
    return metrics


def test_rounds_follow_each_other_until_it_is_stopped(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    keep([Tally(), Tally(requeued=2), Tally()])
    _, *rounds = [record.getMessage() for record in caplog.records]
    assert rounds == [str(Tally(requeued=2))]


def test_an_outage_is_told_and_outlived(caplog: pytest.LogCaptureFixture) -> None:
    keep([StoreUnavailable("Valkey does not answer."), Tally()])
    assert "Valkey does not answer." in caplog.text


def test_rounds_and_deeds_are_counted() -> None:
    silent = StoreUnavailable("Valkey does not answer.")
    metrics = keep([Tally(requeued=2, failed=1, lost=1), silent, Tally(requeued=1)])

    def count(name: str, **labels: str) -> float | None:
        return metrics.registry.get_sample_value(f"amigo_housekeeping_{name}_total", labels)

    assert (count("rounds", end="done"), count("rounds", end="cut_short")) == (2, 1)
    deeds = [count("deeds", deed=deed) for deed in ("requeued", "failed", "lost", "restored")]
    assert deeds == [3, 1, 1, 0]


def test_any_other_error_ends_it() -> None:
    with pytest.raises(ZeroDivisionError):
        keep([ZeroDivisionError("a fault"), Tally()])
