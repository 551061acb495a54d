"""The landmarks of a video, as a file."""

from dataclasses import dataclass
from io import BytesIO
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from media.audio import FRAME_RATE
from media.provenance import Provenance


@dataclass(frozen=True, eq=False)
class LandmarkTrack:
    """One row per frame.

    landmarks: `[T, 79, 2]` pixels of the video.
    emotions: `[T, 8]` probabilities of the detected emotions, in the order of EMOTIONS.
    size: the video's width and height, px.
    compose: whether the video shows a square around the face or the whole portrait.
    """

    landmarks: NDArray[np.float32]
    emotions: NDArray[np.float32]
    size: tuple[int, int]
    compose: Literal["crop", "full"] = "crop"

    def to_npz(
        self,
        provenance: Provenance = Provenance(),  # noqa: B008 (frozen)
    ) -> bytes:
        """Return a NumPy archive of the attributes and `frame_rate`, frames per second.

        `synthetic` (true) and `model` state what they are and which model generated them.
        """
        file = BytesIO()
        np.savez_compressed(
            file,
            landmarks=self.landmarks,
            emotions=self.emotions,
            frame_rate=FRAME_RATE,
            size=self.size,
            compose=self.compose,
            synthetic=True,
            model=provenance.model,
        )
        return file.getvalue()
