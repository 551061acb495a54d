import numpy as np
import pytest

from models.training.preparation.lip_lag import LAGS, correlations, pooled_lag
from tests.media import babble
from tests.unit.models.typical_face import pixel_face


def evidence(peak: int, r: float, frames: int = 75) -> tuple[int, list[float]]:
    return frames, [r * float(np.exp(-0.15 * (lag - peak) ** 2)) for lag in LAGS]


@pytest.mark.parametrize("trail", [-3, 0, 2, 5])
def test_correlation_peaks_at_the_lag(trail: int) -> None:
    loud = 0.5 - 0.5 * np.cos(2 * np.pi * 4 * (np.arange(100) + 0.5 - trail) / 25)
    landmarks = np.stack([pixel_face(0.2 * opening) for opening in loud])
    curve = correlations(landmarks, babble(4))
    # The loudness repeats every 6.25 frames.
    near = {lag: r for lag, r in zip(LAGS, curve, strict=True) if abs(lag - trail) <= 3}
    assert max(near, key=near.__getitem__) == trail
    assert max(curve) > 0.8


@pytest.mark.parametrize("peak", [-4, 2, 5])
def test_takes_that_agree_make_a_lag_clear(peak: int) -> None:
    assert pooled_lag([evidence(peak, 0.5)] * 8) == peak


def test_one_faint_take_moves_nothing() -> None:
    assert pooled_lag([evidence(4, 0.5)]) == 0


def test_takes_that_disagree_move_nothing() -> None:
    assert pooled_lag([evidence(-4, 0.5), evidence(4, 0.5)] * 4) == 0


def test_long_takes_weigh_more() -> None:
    assert pooled_lag([evidence(-4, 0.5, frames=30), evidence(4, 0.5, frames=2000)]) == 4


def test_a_single_frame_is_left_to_a_finer_judge() -> None:
    assert pooled_lag([evidence(1, 0.8)] * 20) == 0


def test_lips_that_follow_nothing_are_left_alone() -> None:
    assert pooled_lag([(75, [0.0] * len(LAGS))] * 8) == 0
    assert pooled_lag([]) == 0
