"""A typical face for stage one: symmetric, at rest, in the normal form and in pixels."""

import numpy as np

from models.face.limits import CLOSED_GAP, Points

JAW_DROP = 0.8
"""Share of the mouth's opening that the jaw makes."""


# The mean of still portraits of people who do not exist, made symmetric.
JAW = (
    (-1.08, -0.22), (-1.08, 0.22), (-1.06, 0.45), (-0.94, 0.94), (-0.85, 1.15), (-0.74, 1.31),
    (-0.48, 1.54), (-0.2, 1.68), (0, 1.7), (0.2, 1.68), (0.48, 1.54), (0.74, 1.31),
    (0.85, 1.15), (0.94, 0.94), (1.06, 0.45), (1.08, 0.22), (1.08, -0.22),
)  # fmt: skip
BROWS = (
    (-0.98, -0.33), (-0.82, -0.34), (-0.67, -0.38), (-0.47, -0.37), (-0.24, -0.34),
    (0.24, -0.34), (0.47, -0.37), (0.67, -0.38), (0.82, -0.34), (0.98, -0.33),
)  # fmt: skip
NOSE = (
    (0, -0.06), (0, 0.19), (0, 0.42), (0, 0.55),
    (-0.2, 0.68), (-0.12, 0.74), (0, 0.74), (0.12, 0.74), (0.2, 0.68),
)  # fmt: skip
EYES = (
    (-0.72, 0), (-0.62, -0.08), (-0.45, -0.09), (-0.28, 0), (-0.43, 0.05), (-0.59, 0.05),
    (0.28, 0), (0.45, -0.09), (0.62, -0.08), (0.72, 0), (0.59, 0.05), (0.43, 0.05),
)  # fmt: skip
LIPS = (
    (-0.38, 1.09), (-0.22, 0.99), (-0.11, 0.96), (0, 0.98), (0.11, 0.96), (0.22, 0.99),
    (0.38, 1.09), (0.21, 1.21), (0.11, 1.24), (0, 1.25), (-0.11, 1.24), (-0.21, 1.21),
    (-0.34, 1.09), (-0.09, 1.09), (0, 1.09), (0.09, 1.09),
    (0.34, 1.09), (0.09, 1.09), (0, 1.09), (-0.09, 1.09),
)  # fmt: skip
IRISES = ((-0.51, -0.03), (0.51, -0.03))
FOREHEAD = (
    (-0.95, -0.57), (-0.8, -0.7), (-0.57, -0.78), (-0.31, -0.82), (0, -0.83),
    (0.31, -0.82), (0.57, -0.78), (0.8, -0.7), (0.95, -0.57),
)  # fmt: skip


def normal_face(opening: float = 0.0) -> Points:
    """Return `[79, 2]` in inter-ocular units, its lips `opening` further apart than closed ones."""
    face = np.array([*JAW, *BROWS, *NOSE, *EYES, *LIPS, *IRISES, *FOREHEAD])
    face[65:68, 1] += CLOSED_GAP
    face[[65, 66, 67, 55, 56, 57, 58, 59], 1] += JAW_DROP * opening
    face[[61, 62, 63, 49, 50, 51, 52, 53], 1] -= (1.0 - JAW_DROP) * opening
    face[5:12, 1] += JAW_DROP * opening
    return face.astype(np.float32)


def pixel_face(opening: float = 0.0, roll: float = 0.0) -> Points:
    """Return `[79, 2]` on a 256x256 crop, eyes 60 px apart, turned by `roll` radians."""
    turn = np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]])
    face: Points = (60.0 * normal_face(opening) @ turn.T + (128.0, 100.0)).astype(np.float32)
    return face
