"""The face at rest, estimated from the face caught at any moment, whatever it says or shows."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from models.checkpoints import load_checkpoint
from models.manifest import WEIGHTS

Points = NDArray[np.float32]

FILE = "resting_face.safetensors"
MOVED = [*range(27), *range(31, 36), 37, 38, 40, 41, 43, 44, 46, 47, *range(48, 68), *range(70, 79)]
"""The landmarks that come to rest: all but the nose's bridge, the eyes' corners and the irises."""
SEEN = [*range(70)]
"""The landmarks that tell where: all but the forehead."""


def way_to_rest(face: Points) -> Points:
    """Return the displacement `[79, 2]` that brings a face in the normal form to rest.

    It is linear in the face: the estimate of least squared error over people and what they may be
    saying or showing (`models/training/stage_one/fit_resting_face.py`). Brows and lids differ at
    rest from person to person, so they move by what is likely and not by all that is possible.
    """
    way = np.zeros_like(face)
    way[MOVED] = (describe(face) @ _linear()).reshape(-1, 2)
    return way


def describe(face: Points) -> Points:
    """Return the regression input of a face `[79, 2]`: a constant one, and the face relative to the
    nose.
    """
    about_nose = face[SEEN] - face[33]
    return np.concatenate([[1.0], about_nose.ravel()]).astype(np.float32)


@cache
def _linear() -> Points:
    state, _ = load_checkpoint(WEIGHTS / FILE)
    linear: Points = state["linear"].numpy()
    return linear
