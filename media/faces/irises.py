"""Whether a face's eyes have irises: statues, masks and some drawings have blank eyes."""

import numpy as np
from numpy.typing import NDArray

from media.faces.landmarks import IRISES, LEFT_EYE, LOWER_LIDS, RIGHT_EYE, UPPER_LIDS

BLANK = 0.85
"""Brightness of both irises, relative to the cheek below, from which eyes count as blank. Of some
460 portraits and stills, the palest eyes reach 0.76; blank ones, as of marble, reach 0.93.
"""
OPEN = 0.15
"""Least gap between the lids, in widths of the eye, for which its iris can be seen."""
DARK = 20.0
"""Brightness of a cheek, of 255, below which the picture is too dark to judge the eyes."""

_LUMA = (0.299, 0.587, 0.114)


def are_eyes_blank(crop: NDArray[np.uint8], landmarks: NDArray[np.float32]) -> bool:
    """Return whether both eyes of a face are open and as bright as its cheeks.

    Args:
        crop: the face, upright, RGB `[256, 256, 3]`.
        landmarks: `[79, 2]` in its pixels.
    """
    light = crop @ np.array(_LUMA)
    return all(
        _is_blank(light, landmarks[eye], iris, gap)
        for eye, iris, gap in zip(
            (LEFT_EYE, RIGHT_EYE), landmarks[IRISES], _gaps(landmarks), strict=True
        )
    )


def _gaps(landmarks: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the mean distance between the lids of each eye, in pixels."""
    gaps = np.linalg.norm(landmarks[UPPER_LIDS] - landmarks[LOWER_LIDS], axis=1)
    means: NDArray[np.float32] = gaps.reshape(2, 2).mean(axis=1)
    return means


def _is_blank(
    light: NDArray[np.float64], eye: NDArray[np.float32], iris: NDArray[np.float32], gap: float
) -> bool:
    width = float(np.linalg.norm(eye[3] - eye[0]))
    cheek = _brightness(light, iris[0], eye[:, 1].max() + 0.5 * width, 0.15 * width)
    if gap < OPEN * width or cheek < DARK:
        return False
    return _brightness(light, iris[0], iris[1], 0.12 * width) >= BLANK * cheek


def _brightness(light: NDArray[np.float64], x: float, y: float, radius: float) -> float:
    """Return the mean of a disc of at least a pixel."""
    rows, columns = np.ogrid[: light.shape[0], : light.shape[1]]
    disc = (columns - x) ** 2 + (rows - y) ** 2 <= max(radius, 1.0) ** 2
    return float(light[disc].mean()) if disc.any() else 0.0
