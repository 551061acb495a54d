"""The identity network, if dlib and its network are installed."""

from pathlib import Path

import numpy as np
import pytest

from media.faces.landmarks import LandmarkDetector
from media.faces.portrait import crop_portrait
from media.picture import read_portrait
from models.evaluation.dlib_identity import find_dlib_network, load_dlib_identity
from models.evaluation.scoring_networks import embed
from tests.unit.models.faces import face_picture

EXAMPLE = Path("examples/portrait.jpg")
ONE_PERSON = 0.6
"""Distance below which dlib counts two pictures as one person."""


def test_a_person_is_recognized_in_another_light_and_a_pattern_is_not() -> None:
    network = find_dlib_network()
    if network is None:
        pytest.skip("needs dlib-bin and face-recognition-models, see docs/evaluation.md")
    with LandmarkDetector() as detector:
        face = crop_portrait(read_portrait(EXAMPLE), detector).crop
    darker = (face * 0.7).astype(np.uint8)
    faces = np.stack([face, darker, face_picture()])
    known, again, nobody = embed(load_dlib_identity(network), faces)
    assert np.linalg.norm(known - again) < 0.5 * ONE_PERSON
    assert np.linalg.norm(known - nobody) > ONE_PERSON
