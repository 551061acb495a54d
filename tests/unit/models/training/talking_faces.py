"""A synthetic training set: two people, plain skins, bright mouths that open."""

from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray

from media.faces.landmarks import CROP_SIZE
from models.landmarks_to_video.face_regions import signed_distance
from models.landmarks_to_video.warping import pixel_grid
from models.training.stage_two.face_frames import FaceFrames
from tests.unit.models.faces import face_landmarks, face_picture

OPENINGS = (0.5, 2, 4, 8, 12, 16)
SKINS = (120, 80)
INTERIOR = 230


def talking_faces() -> FaceFrames:
    """Return two clips of six frames, named lrcar and grid; the arrays belong to the caller."""
    images, landmarks = _pictures_and_landmarks()
    clips = np.repeat(np.arange(2), len(OPENINGS)).astype(np.int32)
    return FaceFrames(images.copy(), landmarks.copy(), clips, clips, ("lrcar", "grid"))


@cache
def _pictures_and_landmarks() -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    landmarks = np.stack(
        [face_landmarks(opening=o, shift=(c, 0)) for c in (0, 2) for o in OPENINGS]
    )
    skins = np.repeat(SKINS, len(OPENINGS))
    images = np.stack([_frame(points, skin) for points, skin in zip(landmarks, skins, strict=True)])
    return images, landmarks


def _frame(landmarks: NDArray[np.float32], skin: int) -> NDArray[np.uint8]:
    texture = face_picture(skin) * 0.2 + skin * 0.8
    cells = pixel_grid(CROP_SIZE, CROP_SIZE).reshape(1, -1, 2)
    distance = signed_distance(cells, torch.from_numpy(landmarks[None, 60:68]))
    inside = (distance + 1).clamp(0, 1).reshape(CROP_SIZE, CROP_SIZE, 1).numpy()
    return np.asarray(texture * (1 - inside) + INTERIOR * inside, dtype=np.uint8)
