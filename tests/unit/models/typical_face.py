"""A made-up face as stage one sees it: symmetric, lips closed, in the normal form and in pixels."""

import numpy as np

from models.retargeting import CLOSED_GAP, Points

JAW_DROP = 0.8
"""Share of the mouth's opening that the jaw makes."""


def normal_face(opening: float = 0.0) -> Points:
    """Return `[79, 2]` in inter-ocular units, its lips `opening` further apart than closed ones."""
    face = np.zeros((79, 2))
    angle = np.linspace(np.pi, 0.0, 17)
    lower = np.array([np.cos(angle), np.sin(angle)]).T
    face[:17] = lower * (1.15, 1.7) + (0.0, 0.1)
    face[17:22] = _line((-0.95, -0.3), (-0.25, -0.35), 5)
    face[22:27] = _line((0.25, -0.35), (0.95, -0.3), 5)
    face[27:31] = _line((0.0, 0.0), (0.0, 0.55), 4)
    face[31:36] = _line((-0.18, 0.7), (0.18, 0.7), 5)
    for first, centre in ((36, -0.5), (42, 0.5)):
        face[first : first + 6] = [
            (centre - 0.24, 0.0), (centre - 0.1, -0.08), (centre + 0.1, -0.08),
            (centre + 0.24, 0.0), (centre + 0.1, 0.08), (centre - 0.1, 0.08),
        ]  # fmt: skip
    face[68], face[69] = (-0.5, 0.0), (0.5, 0.0)
    face[48:60] = [
        (-0.39, 1.1), (-0.24, 1.03), (-0.1, 1.0), (0, 1.01), (0.1, 1.0), (0.24, 1.03),
        (0.39, 1.1), (0.24, 1.2), (0.1, 1.23), (0, 1.24), (-0.1, 1.23), (-0.24, 1.2),
    ]  # fmt: skip
    face[60:65] = [(-0.34, 1.1), (-0.15, 1.1), (0, 1.1), (0.15, 1.1), (0.34, 1.1)]
    face[65:68] = [(0.15, 1.1), (0, 1.1), (-0.15, 1.1)]
    face[65:68, 1] += CLOSED_GAP
    face[70:79] = _line((-0.9, -0.7), (0.9, -0.7), 9)
    face[[65, 66, 67, 55, 56, 57, 58, 59], 1] += JAW_DROP * opening
    face[[61, 62, 63, 49, 50, 51, 52, 53], 1] -= (1.0 - JAW_DROP) * opening
    face[5:12, 1] += JAW_DROP * opening
    return face.astype(np.float32)


def pixel_face(opening: float = 0.0, roll: float = 0.0) -> Points:
    """Return `[79, 2]` on a 256x256 crop, eyes 60 px apart, turned by `roll` radians."""
    turn = np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]])
    face: Points = (60.0 * normal_face(opening) @ turn.T + (128.0, 100.0)).astype(np.float32)
    return face


def _line(start: tuple[float, float], stop: tuple[float, float], count: int) -> Points:
    return np.linspace(start, stop, count).astype(np.float32)
