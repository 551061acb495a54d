"""Light, error and contrast inside spoken mouths, beside film."""

import numpy as np
import pytest
from numpy.typing import NDArray

from models.evaluation.spoken_mouths import score_mouth, spoken_mouth_table
from models.metrics.frame_scores import Pair
from tests.unit.models.faces import face_landmarks

NOISE = np.random.default_rng(0).integers(60, 200, (512, 512, 3)).astype(np.uint8)


def pair(opening: float) -> Pair:
    return Pair(NOISE, NOISE, face_landmarks(), face_landmarks(opening=opening))


def painted(brightness: float) -> NDArray[np.uint8]:
    """Return the noise with another brightness in the mouth alone."""
    picture = NOISE.copy()
    picture[340:372, 200:312] = (picture[340:372, 200:312] * brightness).astype(np.uint8)
    return picture


def test_the_film_itself_has_its_light_and_contrast() -> None:
    score = score_mouth(NOISE, pair(12))
    assert (score.light, score.error, score.contrast) == pytest.approx((1, 0, 1))


def test_half_the_light_is_half_and_has_half_the_contrast() -> None:
    score = score_mouth(painted(0.5), pair(12))
    assert (score.light, score.contrast) == pytest.approx((0.5, 0.5), abs=0.06)
    assert score.error > 30


def test_mouths_are_told_apart_by_their_openings() -> None:
    table = spoken_mouth_table(lambda wanted: painted(0.5), [pair(4), pair(4), pair(20)])
    assert [row["mouths"] for row in table.rows] == [2, 0, 0, 1]
    assert table.rows[1]["light / filmed"] is None
    assert table.rows[3]["light / filmed"] == pytest.approx(0.6, abs=0.15)
