import numpy as np

from models.face.resting_mouth import MOVED, describe, way_to_rest
from tests.unit.models.typical_face import normal_face


def test_only_jaw_and_mouth_come_to_rest() -> None:
    way = way_to_rest(normal_face(opening=0.2))
    still = sorted(set(range(79)) - set(MOVED))
    assert not way[still].any()
    assert np.abs(way[MOVED]).max() > 0.05


def test_the_wider_the_mouth_is_open_the_further_it_closes() -> None:
    near, far = (way_to_rest(normal_face(opening))[66, 1] for opening in (0.1, 0.2))
    assert far < near < 0.0


def test_a_face_is_described_about_its_nose() -> None:
    np.testing.assert_allclose(describe(normal_face()), describe(normal_face() + 0.1), atol=1e-6)
