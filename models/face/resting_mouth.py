"""The rest pose of the mouth, estimated from a face at any moment."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from models.checkpoints import load_checkpoint
from models.manifest import WEIGHTS

Points = NDArray[np.float32]

FILE = "resting_mouth.safetensors"
MOVED = [*range(17), *range(48, 68)]
"""The landmarks that are moved to rest: jaw and mouth."""
SEEN = [*range(17), *range(27, 68)]
"""The landmarks used for the estimate: all but the forehead, the irises and the mobile brows."""


def way_to_rest(face: Points) -> Points:
    """Return the displacement `[79, 2]` that brings a face in the normal form to rest.

    It is linear in the face: the least-squares estimate over people and what they may be saying or
    smiling (`models/training/stage_one/fit_resting_mouth.py`).
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
