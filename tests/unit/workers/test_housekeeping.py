import threading

import pytest

from jobs.errors import StoreUnavailable
from jobs.recovery import Reconciler, Tally
from workers.housekeeping import keep_house


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


def keep(rounds: list[Tally | Exception]) -> None:
    stop = threading.Event()
    keep_house(FakeReconciler(rounds, stop), 0.001, stop)


def test_rounds_follow_each_other_until_it_is_stopped(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    keep([Tally(), Tally(requeued=2), Tally()])
    _, *rounds = [record.getMessage() for record in caplog.records]
    assert rounds == [str(Tally(requeued=2))]


def test_an_outage_is_told_and_outlived(caplog: pytest.LogCaptureFixture) -> None:
    keep([StoreUnavailable("Valkey does not answer."), Tally()])
    assert "Valkey does not answer." in caplog.text


def test_any_other_error_ends_it() -> None:
    with pytest.raises(ZeroDivisionError):
        keep([ZeroDivisionError("a fault"), Tally()])
