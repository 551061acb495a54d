"""Reads clips and their landmarks from the data folder."""

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from media.faces.landmarks import (
    LOWER_LIDS,
    UPPER_LIDS,
)
from media.files import ffmpeg_name

LANDMARK_SCALE = 64.0
SMOOTHING_WINDOW = 5

Item = TypeVar("Item")


def mouth_opening(landmarks: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the inner-lip distance in px, `[...]`, of landmarks `[..., 79, 2]`."""
    upper = landmarks[..., 61:64, :].mean(axis=-2)
    lower = landmarks[..., 65:68, :].mean(axis=-2)
    return np.asarray(np.linalg.norm(lower - upper, axis=-1), dtype=np.float32)


def eye_opening(landmarks: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the mean distance between the lids in px, `[...]`, of landmarks `[..., 79, 2]`."""
    gap = landmarks[..., LOWER_LIDS, :] - landmarks[..., UPPER_LIDS, :]
    return np.asarray(np.linalg.norm(gap, axis=-1).mean(axis=-1), dtype=np.float32)


def read_clip(path: Path) -> NDArray[np.uint8]:
    """Decode a clip to `[T, S, S, 3]` RGB, at its own size."""
    with av.open(ffmpeg_name(path)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def at_side(picture: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Return a square picture `[S, S, 3]` as `[side, side, 3]`."""
    if len(picture) == side:
        return picture
    return np.asarray(Image.fromarray(picture).resize((side, side), Image.Resampling.BOX))


def read_landmarks(data: Path, name: str, split: str) -> dict[str, NDArray[np.float32]]:
    """Return the smoothed landmarks `[T, 79, 2]` px of each clip of a set, by the clip's stem."""
    archive = np.load(data / "landmarks" / f"{name}_{split}.npz")
    return {stem: smooth(archive[stem] / LANDMARK_SCALE) for stem in archive.files}


def smooth(landmarks: NDArray[np.float64]) -> NDArray[np.float32]:
    """Remove tracker noise from `[T, 79, 2]` along time (Savitzky-Golay, second order)."""
    # Imported here because the import takes seconds.
    from scipy.signal import savgol_filter  # type: ignore[attr-defined]

    if len(landmarks) < SMOOTHING_WINDOW:
        return landmarks.astype(np.float32)
    return np.asarray(savgol_filter(landmarks, SMOOTHING_WINDOW, 2, axis=0), dtype=np.float32)


def spread(items: Sequence[Item], count: int | None) -> list[Item]:
    """Choose `count` items, evenly spread, or all."""
    if count is None or count >= len(items):
        return list(items)
    return [items[i] for i in np.linspace(0, len(items) - 1, count).round().astype(int)]
