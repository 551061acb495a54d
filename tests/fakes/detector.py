"""A detector of faces that needs no MediaPipe and sees what a test says."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from media.errors import NoFace
from media.faces.landmarks import LandmarkDetector

Face = NDArray[np.float32]
"""Landmarks `[79, 2]` in pixels of the picture."""

Look = Callable[[NDArray[np.uint8]], list[Face]]
"""Returns the faces of a picture `[H, W, 3]`."""


class FakeDetector(LandmarkDetector):
    """Finds the given faces in every picture, or what `look` finds; in a video, those of `track`.

    None in `track` is a frame in which the face is lost; without any, the first frame shows none.
    """

    def __init__(
        self, *faces: Face, look: Look | None = None, track: Sequence[Face | None] = ()
    ) -> None:
        self._look = look or (lambda _: list(faces))
        self._track = track

    def close(self) -> None:
        pass

    def detect(self, image: NDArray[np.uint8]) -> list[Face]:
        return self._look(image)

    def silhouette(self, crop: NDArray[np.uint8]) -> NDArray[np.float32]:
        return np.ones(crop.shape[:2], np.float32)

    def follow(self, frames: Iterable[NDArray[np.uint8]]) -> list[Face | None]:
        if not len(self._track):
            raise NoFace("The video's first frame shows no face.")
        return [face for _, face in zip(frames, self._track, strict=False)]
