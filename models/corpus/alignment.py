"""Converts tracked landmarks to training targets: facial motion, separated from head motion."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.face.retargeting import (
    DEPTH,
    axis_scales,
    close_mouth,
    lip_gaps,
    normalize_landmarks,
    turn_head,
)

Points = NDArray[np.float32]

RIGID = [0, 1, 15, 16, *range(27, 36), 36, 39, 42, 45, *range(70, 79)]
RIGID_WEIGHTS = np.array([0.3] * 4 + [1.0] * 9 + [2.0] * 4 + [0.7] * 9, np.float32)
"""Points that hardly move relative to the skull, and their weights."""
SPEECH_WEIGHTS = np.zeros(79, np.float32)
"""Share of each point's motion attributed to speech: all for mouth and chin, part for cheeks."""
SPEECH_WEIGHTS[48:68] = 1.0
SPEECH_WEIGHTS[:17] = np.clip(1.6 - np.abs(np.arange(17) - 8) / 5.0, 0.0, 1.0)
SPEECH_WEIGHTS[31:36] = 0.5


@dataclass(frozen=True)
class AlignedClip:
    """A decomposed clip.

    Attributes:
        motion: `[T, 79, 2]` displacement of the lower face from rest, for a typical face.
        pose: `[T, 6]` head motion about its median, as in LandmarkMotion.
        resting: `[79, 2]` the rest pose in the normal form.
    """

    motion: Points
    pose: Points
    resting: Points


def align(landmarks: Points) -> AlignedClip:
    """Decompose landmarks `[T, 79, 2]` in pixels into rest pose, head motion and speech motion."""
    still, pose = hold_still(landmarks)
    resting = close_mouth(_nearly_closed(still))
    motion = (still - resting) * SPEECH_WEIGHTS[:, None] / axis_scales(resting)
    return AlignedClip(motion.astype(np.float32), pose, resting)


def hold_still(landmarks: Points) -> tuple[Points, Points]:
    """Return a clip `[T, 79, 2]` in the normal form without its head motion, and the latter `[T,
    6]`.
    """
    faces = _smooth(normalize_landmarks(landmarks), window=5)
    pose = _smooth(fit_pose(faces, np.median(faces, axis=0)), window=11)
    return turn_head(faces, -pose), pose


def fit_pose(faces: Points, middle: Points) -> Points:
    """Return `[T, 6]` the small head motion that best moves `middle` `[79, 2]` onto each face.

    To first order, a turn moves a point in proportion to its depth (weak perspective), so the fit
    is a linear least-squares problem.
    """
    x, y, depth = middle[RIGID, 0], middle[RIGID, 1], DEPTH[RIGID]
    one, nil = np.ones_like(x), np.zeros_like(x)
    across = np.stack([x, -y, one, nil, depth, nil], axis=1) * RIGID_WEIGHTS[:, None]
    down = np.stack([y, x, nil, one, nil, depth], axis=1) * RIGID_WEIGHTS[:, None]
    moved = (faces - middle)[:, RIGID] * RIGID_WEIGHTS[:, None]
    wanted = np.concatenate([moved[..., 0], moved[..., 1]], axis=1)
    solved = np.linalg.lstsq(np.concatenate([across, down]), wanted.T, rcond=None)[0]
    out: Points = solved.T.astype(np.float32)
    return out


def _nearly_closed(faces: Points) -> Points:
    """Return the mean of those faces whose lips are closest, a fifth of all."""
    gaps = lip_gaps(faces).mean(axis=1)
    out: Points = faces[gaps <= np.quantile(gaps, 0.2)].mean(axis=0)
    return out


def _smooth(values: Points, window: int) -> Points:
    """Fit parabolas along time (Savitzky and Golay, 1964); short clips use a shorter window."""
    # Imported here because the import takes seconds.
    from scipy.signal import savgol_filter  # type: ignore[attr-defined]

    window = min(window, len(values) - (len(values) + 1) % 2)
    if window < 5:
        return values
    out: Points = savgol_filter(values, window, 2, axis=0).astype(np.float32)
    return out
