"""Synthetic faces: face-like landmarks and pictures smooth enough to be warped."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from media.faces.landmarks import CROP_SIZE

Point = tuple[float, float]


def face_landmarks(*, opening: float = 0.0, shift: Point = (0, 0)) -> NDArray[np.float32]:
    """Return `[79, 2]` px of a frontal face, eyes 60 px apart, lips `opening` px apart."""
    jaw = _arc(17, centre=(128, 110), radius=(72, 105), start=np.pi, stop=0)
    brows = np.concatenate([_line(5, (80, 88), (112, 86)), _line(5, (144, 86), (176, 88))])
    nose = np.concatenate([_line(4, (128, 104), (128, 138)), _line(5, (116, 148), (140, 148))])
    eyes = np.concatenate([_ring(6, (98, 105), (13, 5)), _ring(6, (158, 105), (13, 5))])
    lips = np.concatenate(
        [
            _ring(12, (128, 178), (25, 10 + opening / 2)),
            _ring(8, (128, 178), (20, opening / 2)),
        ]
    )
    rest = np.array([[98, 105], [158, 105]])
    forehead = _arc(9, centre=(128, 110), radius=(70, 80), start=-0.9 * np.pi, stop=-0.1 * np.pi)
    points = np.concatenate([jaw, brows, nose, eyes, lips, rest, forehead])
    return (points + shift).astype(np.float32)


def face_with_lips(opening: float, width: float = 40) -> Tensor:
    """Return `[1, 79, 2]` px of that face, with inner lips that far apart and that wide."""
    landmarks = torch.from_numpy(face_landmarks(opening=opening))[None]
    middle = landmarks[:, 60:68, 0].mean(dim=1, keepdim=True)
    landmarks[:, 60:68, 0] = middle + (landmarks[:, 60:68, 0] - middle) * width / 40
    return landmarks


def face_picture(seed: int = 0) -> NDArray[np.uint8]:
    """Return a smooth random picture `[256, 256, 3]`."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:CROP_SIZE, 0:CROP_SIZE] / CROP_SIZE
    waves = [
        np.sin(2 * np.pi * (rng.uniform(1, 4) * x + rng.uniform(1, 4) * y + rng.uniform()))
        for _ in range(3)
    ]
    return (np.stack(waves, axis=-1) * 100 + 128).astype(np.uint8)


def _arc(
    count: int,
    *,
    centre: Point,
    radius: Point,
    start: float,
    stop: float,
) -> NDArray[np.float64]:
    angles = np.linspace(start, stop, count)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1) * radius + centre


def _ring(count: int, centre: Point, radius: Point) -> NDArray[np.float64]:
    """Go around from the viewer's left, over the top."""
    return _arc(count + 1, centre=centre, radius=radius, start=np.pi, stop=3 * np.pi)[:-1]


def _line(count: int, start: Point, stop: Point) -> NDArray[np.float64]:
    return np.linspace(start, stop, count)
