"""A pipeline that takes a fixed time and no processor, as one on a GPU of its own would."""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from media.audio import FRAME_RATE, SAMPLE_RATE
from models.face.landmark_track import LandmarkTrack
from models.options import SynthesisOptions

SECONDS = "AMIGO_LOAD_SECONDS"
"""The variable with the seconds that each job takes to render."""

BATCH_FRAMES = 25


@dataclass(frozen=True)
class Neutral:
    """The emotion of every job."""

    emotion: str = "neutral"
    probabilities: dict[str, float] = field(default_factory=lambda: {"neutral": 1.0})


@dataclass(frozen=True)
class FixedSynthesis:
    """A grey video, rendered in the given time."""

    seconds: float
    num_frames: int
    notices: tuple[str, ...] = ()
    heard: Neutral = Neutral()
    timings: dict[str, float] = field(default_factory=dict)
    size: tuple[int, int] = (64, 64)

    @property
    def track(self) -> LandmarkTrack:
        """Landmarks at the origin."""
        landmarks = np.zeros((self.num_frames, 79, 2), np.float32)
        return LandmarkTrack(landmarks, np.zeros((self.num_frames, 8), np.float32), self.size)

    def frames(self) -> Iterator[NDArray[np.uint8]]:
        """Yield the frames in batches, evenly over the time."""
        for start in range(0, self.num_frames, BATCH_FRAMES):
            count = min(BATCH_FRAMES, self.num_frames - start)
            time.sleep(self.seconds * count / self.num_frames)
            yield np.full((count, 64, 64, 3), 128, np.uint8)


class FixedCost:
    """Renders every job in the same time."""

    def __init__(self, device: str) -> None:
        self.seconds = float(os.environ[SECONDS])

    def warm_up(self) -> None:
        """Nothing to do."""

    def __call__(
        self, image: NDArray[np.uint8], waveform: NDArray[np.float32], options: SynthesisOptions
    ) -> FixedSynthesis:
        """Start a video as long as the speech."""
        return FixedSynthesis(self.seconds, max(1, len(waveform) * FRAME_RATE // SAMPLE_RATE))
