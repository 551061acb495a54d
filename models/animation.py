"""One portrait under given landmarks: the frames of its video, rendered as they are asked for."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from models.face.landmarks import CROP_SIZE
from models.face.portrait import Portrait
from models.landmarks_to_video.compose import Canvas, Composer
from models.landmarks_to_video.visual_translator import PortraitFeatures, VisualTranslator
from models.options import SynthesisOptions

BATCH_FRAMES = 8


@dataclass(frozen=True)
class Framing:
    """Where a video shows the face: in the crop itself, or composed into the portrait.

    Without a `composer` the video is the crop, `resolution` x `resolution` px.
    """

    compose: Literal["crop", "full"]
    resolution: int
    composer: Composer | None = field(default=None, repr=False)

    @classmethod
    def of(cls, portrait: Portrait, options: SynthesisOptions) -> Self:
        """Return where the options show the portrait's face."""
        return cls(options.compose, options.resolution, _composer(portrait, options))

    @property
    def size(self) -> tuple[int, int]:
        """The video's width and height, px."""
        return self.composer.size if self.composer else (self.resolution, self.resolution)

    @property
    def detail(self) -> int:
        """Side of the crop that the networks see, px; a finer one than is shown serves nobody."""
        is_small = self.composer is not None and self.composer.crop_side <= CROP_SIZE
        return min(self.resolution, CROP_SIZE) if is_small else self.resolution

    def place(self, landmarks: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return landmarks `[..., 79, 2]` in crop units in px of the video."""
        if self.composer:
            return self.composer.place(landmarks)
        return landmarks * np.float32(self.resolution / CROP_SIZE)

    def locate(self, landmarks: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return landmarks `[..., 79, 2]` in px of the video in crop units."""
        if self.composer:
            return self.composer.locate(landmarks)
        return landmarks * np.float32(CROP_SIZE / self.resolution)


@dataclass
class Animation:
    """One video on its way: what is known before the first frame, and the frames themselves.

    `landmarks` is `[T, 79, 2]` in crop units. `timings` holds seconds by step and is complete once
    `frames` is drained.
    """

    portrait: Portrait
    landmarks: NDArray[np.float32]
    timings: dict[str, float]
    translator: VisualTranslator = field(repr=False)
    framing: Framing

    @property
    def num_frames(self) -> int:
        """Length of the video."""
        return len(self.landmarks)

    @property
    def size(self) -> tuple[int, int]:
        """The video's width and height, pixels."""
        return self.framing.size

    @property
    def notices(self) -> tuple[str, ...]:
        """What the caller should know though nothing failed, as codes."""
        return self.portrait.notices

    @property
    def placed_landmarks(self) -> NDArray[np.float32]:
        """The landmarks `[T, 79, 2]` in pixels of the video."""
        return self.framing.place(self.landmarks)

    def frames(self) -> Iterator[NDArray[np.uint8]]:
        """Yield `[B, H, W, 3]` RGB batches in order, rendering each when it is asked for."""
        with timed(self.timings, "encode_portrait"):
            crop = self.portrait.cut(self.framing.detail)
            features = self.translator.prepare(crop, self.portrait.landmarks)
        for start in range(0, self.num_frames, BATCH_FRAMES):
            yield self._draw(features, self.landmarks[start : start + BATCH_FRAMES])

    def _draw(
        self, features: PortraitFeatures, landmarks: NDArray[np.float32]
    ) -> NDArray[np.uint8]:
        """Return one batch `[B, H, W, 3]` under landmarks `[B, 79, 2]`, crop units."""
        if self.framing.composer is None:
            with timed(self.timings, "render"):
                return self.translator.render(features, landmarks)
        with timed(self.timings, "render"):
            rendering = self.translator.animate(features, landmarks)
        with timed(self.timings, "compose"):
            return self.framing.composer.compose(rendering)


def _composer(portrait: Portrait, options: SynthesisOptions) -> Composer | None:
    """Return what lays the face into the picture, or None where the crop is what is shown."""
    if options.compose == "full":
        return Composer(Canvas.whole(portrait.image, portrait.box))
    if portrait.view == portrait.box:
        return None
    size = options.resolution
    return Composer(Canvas.close_up(portrait.image, portrait.box, portrait.view, size))


@contextmanager
def timed(timings: dict[str, float], step: str) -> Iterator[None]:
    """Add the seconds that the context takes to a step's."""
    begin = time.perf_counter()
    yield
    timings[step] = timings.get(step, 0.0) + time.perf_counter() - begin
