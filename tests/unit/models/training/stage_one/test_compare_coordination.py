import numpy as np
import pytest

from models.training.stage_one.compare_coordination import (
    recording_interval,
    seed_interval,
    table,
)


def test_the_interval_over_seeds_is_students() -> None:
    low, high = seed_interval(np.array([1.0, 2.0, 3.0]))
    assert (low, high) == pytest.approx((2.0 - 2.484, 2.0 + 2.484), abs=1e-3)


def test_recordings_of_one_actor_do_not_count_as_independent() -> None:
    actors = np.repeat([1, 2, 3, 4], 50)
    of_actors = np.repeat([-1.0, 1.0, -1.0, 1.0], 50)
    of_recordings = np.tile([-1.0, 1.0], 100)
    wide, narrow = (recording_interval(v, actors.tolist()) for v in (of_actors, of_recordings))
    assert wide[1] - wide[0] > 4 * (narrow[1] - narrow[0])


def test_the_table_compares_arms_seed_by_seed() -> None:
    def run(value: float) -> dict[str, dict[str, float]]:
        return {"figure": {"03-01-05-02-01-01-05": value}}

    runs = {"with": {0: run(0.9), 1: run(0.5)}, "without": {0: run(0.8), 1: run(0.4), 2: run(9.0)}}
    assert "| figure | 0.700 | 0.600 | +0.100 [+0.100, +0.100] [+0.100, +0.100] |" in table(runs)
