"""How far from a person the background stays still."""

import numpy as np
import pytest
from numpy.typing import NDArray

from models.landmarks_to_video.background import mobility
from models.landmarks_to_video.warping import FLOW_STRIDE
from tests.unit.models.faces import face_landmarks

LARGEST_MOTION = 8.0
"""Px of a 256 px crop by which a head's outline moves at most in a minute of speech."""


@pytest.fixture
def person() -> NDArray[np.float32]:
    """The silhouette `[256, 256]` of a round head, which holds the face."""
    y, x = np.mgrid[:256, :256]
    return np.where(np.hypot(x - 128, y - 130) < 100, np.float32(1), np.float32(0))


def weights(silhouette: NDArray[np.float32]) -> NDArray[np.float32]:
    found: NDArray[np.float32] = mobility(silhouette, face_landmarks())[0, 0].numpy()
    return found


def at_pixels(map_: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.kron(map_, np.ones((FLOW_STRIDE, FLOW_STRIDE), np.float32))


def test_a_person_moves_to_the_last_hair_and_the_background_stays(
    person: NDArray[np.float32],
) -> None:
    moved = at_pixels(weights(person))
    assert moved[person > 0.5].min() > 0.999
    y, x = np.mgrid[:256, :256]
    assert moved[np.hypot(x - 128, y - 130) > 126].max() == 0.0


def test_what_lies_between_is_compressed_and_not_folded(person: NDArray[np.float32]) -> None:
    steepest = max(np.abs(np.diff(weights(person), axis=axis)).max() for axis in (0, 1))
    assert LARGEST_MOTION * steepest / FLOW_STRIDE < 1.0


def test_a_face_within_its_silhouettes_gaps_moves(person: NDArray[np.float32]) -> None:
    x, y = face_landmarks()[30].round().astype(int)
    person[y - 4 : y + 4, x - 4 : x + 4] = 0.0
    assert at_pixels(weights(person))[y, x] > 0.999


def test_everything_moves_if_the_silhouette_misses_the_face(person: NDArray[np.float32]) -> None:
    assert weights(np.roll(person, 80, axis=1)).min() == 1.0
