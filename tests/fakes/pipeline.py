"""A pipeline that renders black frames without torch."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import NDArray

from media.audio import SAMPLES_PER_FRAME
from media.faces.portrait import Detector
from models.face.landmark_track import LandmarkTrack
from models.options import SynthesisOptions


def blank_track(num_frames: int, size: tuple[int, int]) -> LandmarkTrack:
    """Return landmarks at the origin, of no emotion."""
    landmarks = np.zeros((num_frames, 79, 2), np.float32)
    return LandmarkTrack(landmarks, np.zeros((num_frames, 8), np.float32), size)


@dataclass(frozen=True)
class FakeHeard:
    """Happiness in every frame."""

    num_frames: int
    emotion: str = "happiness"
    probabilities: dict[str, float] = field(default_factory=lambda: {"happiness": 1.0})

    @property
    def over_time(self) -> NDArray[np.float32]:
        return np.eye(8, dtype=np.float32)[[1] * self.num_frames]


@dataclass(frozen=True)
class FakeSynthesis:
    """Black frames, five per batch; `before_batch` is called with each batch's number."""

    num_frames: int
    before_batch: Callable[[int], None]
    notices: tuple[str, ...] = ("face_far_from_camera",)
    timings: dict[str, float] = field(default_factory=lambda: {"render": 1.5})
    size: tuple[int, int] = (64, 64)

    @property
    def heard(self) -> FakeHeard:
        return FakeHeard(self.num_frames)

    @property
    def track(self) -> LandmarkTrack:
        return blank_track(self.num_frames, self.size)

    def frames(self) -> Iterator[NDArray[np.uint8]]:
        for number, start in enumerate(range(0, self.num_frames, 5)):
            self.before_batch(number)
            yield np.zeros((min(5, self.num_frames - start), 64, 64, 3), np.uint8)


class FakePipeline:
    """Records the options and the size it was called with; `begin` may raise instead."""

    def __init__(self) -> None:
        self.options: list[SynthesisOptions] = []
        self.sizes: list[tuple[int, int] | None] = []
        self.begin: Callable[[], object] = lambda: None
        self.before_batch: Callable[[int], None] = lambda _: None

    def load(self, device: str, detector: Detector | None = None) -> Self:
        """Stand in for the class, which loads a pipeline."""
        return self

    def __call__(
        self, image: NDArray[np.uint8], waveform: NDArray[np.float32], options: SynthesisOptions
    ) -> FakeSynthesis:
        self.options.append(options)
        self.begin()
        return FakeSynthesis(round(len(waveform) / SAMPLES_PER_FRAME), self.before_batch)

    def animate(
        self,
        image: NDArray[np.uint8],
        landmarks: NDArray[np.float32],
        options: SynthesisOptions,
        size: tuple[int, int] | None,
    ) -> FakeSynthesis:
        self.options.append(options)
        self.sizes.append(size)
        return FakeSynthesis(len(landmarks), self.before_batch)

    def warm_up(self) -> None:
        pass
