import numpy as np

from media.faces.landmarks import BROWS, LOWER_LIDS, UPPER_LIDS
from models.face.resting_face import MOVED, describe, way_to_rest
from tests.unit.models.typical_face import normal_face

BRIDGE, EYE_CORNERS, IRISES = [27, 28, 29, 30], [36, 39, 42, 45], [68, 69]


def test_the_skull_stays_where_it_is() -> None:
    way = way_to_rest(normal_face(opening=0.2))
    assert not way[[*BRIDGE, *EYE_CORNERS, *IRISES]].any()
    assert np.abs(way[MOVED]).max() > 0.05


def test_the_wider_the_mouth_is_open_the_further_it_closes() -> None:
    near, far = (way_to_rest(normal_face(opening))[66, 1] for opening in (0.1, 0.2))
    assert far < near < 0.0


def test_a_surprised_faces_brows_and_lids_come_to_rest() -> None:
    surprised = normal_face()
    surprised[BROWS, 1] -= 0.12
    surprised[70:79, 1] -= 0.03
    surprised[UPPER_LIDS, 1] -= 0.05
    way = way_to_rest(surprised) - way_to_rest(normal_face())
    assert 0.03 < way[BROWS, 1].mean() < 0.12
    assert 0.01 < way[UPPER_LIDS, 1].mean() < 0.05
    assert np.abs(way[LOWER_LIDS, 1]).mean() < 0.02


def test_a_face_is_described_about_its_nose() -> None:
    np.testing.assert_allclose(describe(normal_face()), describe(normal_face() + 0.1), atol=1e-6)
