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
LIFT = 1.5
"""Width that a unit of distance counts for by which the lips hang below the mouth's corners."""
SMILE_FROM, SMILE_TO = 0.85, 1.0
"""Widths of the inner lips, in inter-ocular units and counted so, from which and at which a face
smiles for certain. Of 96 people photographed neutral, one in fifty has more than 0.85; of the same
people smiling, two in three.
"""


def way_to_rest(face: Points) -> Points:
    """Return the displacement `[79, 2]` that brings a face in the normal form to rest.

    It is linear in the face: the estimate of least squared error over people and what they may be
    saying or showing (`models/training/stage_one/fit_resting_face.py`). Brows and lids differ at
    rest from person to person, so they move by what is likely and not by all that is possible.

    A mouth that may be wide by nature or by a smile loses part of the width. So a second map,
    fitted to smiles alone, takes the place of the first as far as the face is sure to smile.
    """
    seen = describe(face)
    caught, smiling = _linear()
    way = np.zeros_like(face)
    way[MOVED] = (seen @ caught + smile_share(face) * (seen @ (smiling - caught))).reshape(-1, 2)
    return way


def smile_share(face: Points) -> float:
    """Return how sure a face `[79, 2]` in the normal form is to smile, 0 to 1."""
    left, right = face[60], face[64]
    hang = (face[62, 1] + face[66, 1]) / 2 - (left[1] + right[1]) / 2
    broad = right[0] - left[0] + LIFT * hang
    return float(np.clip((broad - SMILE_FROM) / (SMILE_TO - SMILE_FROM), 0.0, 1.0))


def describe(face: Points) -> Points:
    """Return the regression input of a face `[79, 2]`: a constant one, and the face relative to the
    nose.
    """
    about_nose = face[SEEN] - face[33]
    return np.concatenate([[1.0], about_nose.ravel()]).astype(np.float32)


@cache
def _linear() -> tuple[Points, Points]:
    """Return the maps `[F, 2 * len(MOVED)]` of a face caught at any moment, and of a smile."""
    state, _ = load_checkpoint(WEIGHTS / FILE)
    return state["linear"].numpy(), state["smiling"].numpy()
