"""What is drawn before a face, and what it is labelled as."""

import numpy as np
from PIL import Image

from models.training.covering.things import UNSURE, draw_thing
from tests.unit.models.faces import face_landmarks, face_picture

FACE = (face_landmarks() / 2).astype(np.float32)
PICTURE = Image.fromarray(face_picture()).resize((128, 128))


def test_labels_follow_what_changed() -> None:
    """A covered mouth has other pixels than before, an uncovered one mostly the same."""
    rng = np.random.default_rng(0)
    x, y = FACE[48:60].mean(0).round().astype(int)
    before = np.asarray(PICTURE).astype(int)[y - 2 : y + 3, x - 4 : x + 5]
    changed: dict[float, list[float]] = {0.0: [], 1.0: [], UNSURE: []}
    for _ in range(60):
        picture, (mouth, _) = draw_thing(PICTURE, FACE, PICTURE, rng)
        after = np.asarray(picture).astype(int)[y - 2 : y + 3, x - 4 : x + 5]
        changed[mouth].append(float(np.abs(after - before).mean()))
    assert len(changed[1.0]) > 10
    assert len(changed[0.0]) > 10
    assert np.median(changed[1.0]) > 20 > 2 > np.median(changed[0.0])
