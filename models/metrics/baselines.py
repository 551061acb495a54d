"""The baselines: faces that do not move, move to their mean, or are only warped."""

from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import NDArray

from models.face.landmark_motion import LandmarkMotion
from models.face.retargeting import retarget_landmarks
from models.landmarks_to_video.warping import (
    FLOW_STRIDE,
    flow_coordinates,
    sample,
    spline_flow,
    upsample_flow,
)

Points = NDArray[np.float32]


def static_portrait(portrait: Points, frames: int) -> Points:
    """Return the portrait's landmarks `[79, 2]` for every frame: `[T, 79, 2]`."""
    return np.repeat(portrait[None], frames, axis=0)


def mean_motion(motions: Iterable[Points]) -> Points:
    """Return the mean `[79, 2]` over all frames of displacements `[T, 79, 2]`."""
    mean: Points = np.concatenate(list(motions)).mean(axis=0)
    return mean


def move_portrait(portrait: Points, displacement: Points) -> Points:
    """Move a portrait `[79, 2]` px by displacements `[T, 79, 2]`, without head and lid motion."""
    still = np.zeros((len(displacement), 6), np.float32)
    motion = LandmarkMotion(
        displacement, lids=still[:, 0], pose=still, emotions=still, heard=still[0]
    )
    return retarget_landmarks(portrait, motion)


def warp_by_landmarks(
    portrait: NDArray[np.uint8], source: Points, target: Points
) -> NDArray[np.uint8]:
    """Warp a portrait `[256, 256, 3]` by the thin-plate spline from its landmarks to `target`."""
    start, goal = (torch.from_numpy(points)[None] for points in (source, target))
    flow = upsample_flow(spline_flow(start, goal), FLOW_STRIDE)
    picture = torch.from_numpy(portrait.copy()).permute(2, 0, 1)[None].float()
    warped = sample(picture, flow_coordinates(flow))
    return warped[0].permute(1, 2, 0).round().clamp(0, 255).byte().numpy()
