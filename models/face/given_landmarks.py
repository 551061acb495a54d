"""Landmarks that drive a portrait and come from elsewhere: read from a file and checked."""

import zipfile
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from media.audio import FRAME_RATE
from media.faces.landmarks import NUM_LANDMARKS

MAX_SECONDS = 300
"""Length of the longest video, as of the longest speech."""


class LandmarksUnusable(ValueError):
    """The landmarks cannot drive a portrait; the message gives what was found and is required."""


@dataclass(frozen=True, eq=False)
class GivenLandmarks:
    """Landmarks from a file that `LandmarkTrack.to_npz`, or another program, wrote.

    Attributes:
        landmarks: `[T, 79, 2]` float32, pixels of a video at 25 frames a second.
        size: that video's width and height; None if the file does not say.
        compose: what that video shows; None if the file does not say.
    """

    landmarks: NDArray[np.float32]
    size: tuple[int, int] | None = None
    compose: Literal["crop", "full"] | None = None

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read the arrays `landmarks` and, if they are there, `frame_rate`, `size` and `compose`.

        Raises:
            LandmarksUnusable: not such a file, or not such arrays.
            OSError: the file cannot be read.
        """
        arrays = _read_arrays(path)
        if "landmarks" not in arrays:
            names = ", ".join(sorted(arrays)) or "no array"
            raise LandmarksUnusable(f"{path} holds {names}; an array named landmarks is required.")
        _check_rate(arrays.get("frame_rate"))
        return cls(checked(arrays["landmarks"]), _size(arrays), _compose(arrays))


def checked(landmarks: NDArray[Any]) -> NDArray[np.float32]:
    """Return the landmarks of a video as `[T, 79, 2]` float32.

    Raises:
        LandmarksUnusable: of another shape or kind, not finite, without a frame or too long.
    """
    if landmarks.ndim != 3 or landmarks.shape[1:] != (NUM_LANDMARKS, 2):
        raise LandmarksUnusable(
            f"The landmarks have the shape {list(landmarks.shape)}; [T, {NUM_LANDMARKS}, 2] is "
            f"required: x and y of {NUM_LANDMARKS} points in each of T frames."
        )
    if landmarks.dtype.kind not in "fiu":
        raise LandmarksUnusable(f"The landmarks are {landmarks.dtype}; numbers are required.")
    limit = MAX_SECONDS * FRAME_RATE
    if not 1 <= len(landmarks) <= limit:
        raise LandmarksUnusable(
            f"There are landmarks of {len(landmarks):,} frames; 1 to {limit:,} are accepted "
            f"({MAX_SECONDS} s at {FRAME_RATE} frames a second)."
        )
    finite = np.isfinite(landmarks).all(axis=(1, 2))
    if not finite.all():
        raise LandmarksUnusable(
            f"The landmarks of frame {int(np.argmin(finite))} (counted from 0) hold NaN or "
            "infinity; every number must be finite."
        )
    return landmarks.astype(np.float32)


def check_place(landmarks: NDArray[np.float32], size: tuple[int, int]) -> None:
    """Check that landmarks `[T, 79, 2]` lie in or near frames of this width and height.

    Raises:
        LandmarksUnusable: one lies further outside than the frames are wide or high.
    """
    outside = np.maximum(-landmarks, landmarks - np.array(size)) > size
    if outside.any():
        frame, point, _ = np.unravel_index(int(outside.argmax()), outside.shape)
        x, y = landmarks[frame, point]
        raise LandmarksUnusable(
            f"Point {point} of frame {frame} (both counted from 0) lies at ({x:.0f}, {y:.0f}), far "
            f"outside the video of {size[0]} x {size[1]} pixels."
        )


def _read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    content = BytesIO(path.read_bytes())
    try:
        archive = np.load(content, allow_pickle=False)
        if isinstance(archive, np.lib.npyio.NpzFile):
            return {name: archive[name] for name in archive.files}
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise LandmarksUnusable(
            f"{path} is not a whole NumPy archive (.npz) of plain arrays."
        ) from error
    raise LandmarksUnusable(
        f"{path} is a single array; an .npz archive with an array named landmarks is required."
    )


def _check_rate(rate: NDArray[Any] | None) -> None:
    if rate is not None and (rate.size != 1 or rate.item() != FRAME_RATE):
        raise LandmarksUnusable(
            f"The landmarks are of {rate.tolist()} frames a second; {FRAME_RATE} are required."
        )


def _size(arrays: dict[str, NDArray[Any]]) -> tuple[int, int] | None:
    given = arrays.get("size")
    if given is None:
        return None
    if given.shape != (2,) or not np.issubdtype(given.dtype, np.integer) or given.min() < 1:
        raise LandmarksUnusable(
            f"size is {given.tolist()}; the width and the height of the video are required, in px."
        )
    return int(given[0]), int(given[1])


def _compose(arrays: dict[str, NDArray[Any]]) -> Literal["crop", "full"] | None:
    given = arrays.get("compose")
    match given if given is None else given.tolist():
        case None:
            return None
        case "crop":
            return "crop"
        case "full":
            return "full"
        case other:
            raise LandmarksUnusable(f"compose is {other!r}; crop or full is required.")
