import pytest

from benchmarks.load.arrivals import Arrivals, burst, day, steady
from benchmarks.load.controller import Controller, Rule

RULE = Rule.of_scaled_object(most=20, speed=1)


def test_jobs_arrive_at_the_rate_of_their_time() -> None:
    times = list(Arrivals("burst", 1000.0, 5.0, burst).times(seed=1))
    rates = [sum(start <= at < start + 200 for at in times) / 200 for start in (0, 200, 400)]
    assert rates == pytest.approx([0.5, 5.0, 0.5], rel=0.2)
    assert times == sorted(times)


def test_arrivals_of_a_day_peak_at_noon() -> None:
    assert [day(at) for at in (0.0, 0.25, 0.5, 1.0)] == pytest.approx([0, 0, 1, 0])
    assert steady(0.0) == steady(0.9) == 1


def test_a_burst_at_most_doubles_the_workers_every_15_seconds_and_starts_with_one() -> None:
    controller = Controller(RULE)
    assert [controller.decide(at, 100) for at in range(0, 41, 10)] == [4, 4, 8, 8, 16]


def test_workers_stay_for_five_minutes_and_then_leave_by_a_quarter_a_minute() -> None:
    controller = Controller(RULE, current=20)
    controller.decide(0, 40)
    counts = [controller.decide(at, 2) for at in range(10, 700, 10)]
    assert counts[:30] == [20] * 30
    assert sorted(set(counts), reverse=True) == [20, 15, 11, 8, 6, 4, 3]


def test_the_last_worker_leaves_five_minutes_after_the_last_job() -> None:
    controller = Controller(RULE)
    controller.decide(0, 1)
    assert [controller.decide(at, 0) for at in (10, 290, 310)] == [1, 1, 0]
