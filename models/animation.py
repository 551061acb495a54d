"""Animation of a portrait by given landmarks: renders the frames of its video on demand."""

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from media.faces.landmarks import CROP_INTEROCULARS, CROP_SIZE
from media.faces.portrait import MIN_INTEROCULAR, Portrait
from models.landmarks_to_video.portrait_composer import Canvas, Composer
from models.landmarks_to_video.portrait_features import PortraitFeatures
from models.landmarks_to_video.visual_translator import VisualTranslator
from models.options import SynthesisOptions
from models.side_by_side import Workforce, batch_frames, batch_starts, in_order

FACE_SMALL = "face_small"
FINEST = 2
"""Scale of the largest crops."""
PICTURES_SHARE = 2
"""How many times fewer frames a batch has where each is a whole picture, of up to 11 MB."""


@dataclass(frozen=True)
class Framing:
    """How a video shows the face: as the crop itself, or composed into the portrait.

    Without a `composer`, the video is the crop, `resolution` x `resolution` px.
    """

    compose: Literal["crop", "full"]
    resolution: int
    composer: Composer | None = field(default=None, repr=False)

    @classmethod
    def of(cls, portrait: Portrait, options: SynthesisOptions) -> Self:
        """Return how the options show the portrait's face."""
        return cls(options.compose, options.resolution, _composer(portrait, options))

    @property
    def size(self) -> tuple[int, int]:
        """The video's width and height, px."""
        return self.composer.size if self.composer else (self.resolution, self.resolution)

    @property
    def detail(self) -> int:
        """Side of the crop for the networks, px; rendering a finer one than is shown would be
        wasted.
        """
        is_small = self.composer is not None and self.composer.crop_side <= CROP_SIZE
        return min(self.resolution, CROP_SIZE) if is_small else self.resolution

    @property
    def notices(self) -> tuple[str, ...]:
        """FACE_SMALL if a picture was scaled down so far that its face is smaller than accepted."""
        if self.composer is None:
            return ()
        is_small = self.composer.crop_side < MIN_INTEROCULAR * CROP_INTEROCULARS
        return (FACE_SMALL,) if is_small else ()

    def place(self, landmarks: NDArray[np.float32]) -> NDArray[np.float32]:
        """Convert landmarks `[..., 79, 2]` from crop units to px of the video."""
        if self.composer:
            return self.composer.place(landmarks)
        return landmarks * np.float32(self.resolution / CROP_SIZE)

    def locate(self, landmarks: NDArray[np.float32]) -> NDArray[np.float32]:
        """Convert landmarks `[..., 79, 2]` from px of the video to crop units."""
        if self.composer:
            return self.composer.locate(landmarks)
        return landmarks * np.float32(CROP_SIZE / self.resolution)


@dataclass
class Animation:
    """A video being generated: what is known before the first frame, and the frames themselves.

    `landmarks` is `[T, 79, 2]` in crop units. `timings` contains seconds by step and is complete
    once `frames` is consumed; `render` is the time for which frames were waited for.
    """

    portrait: Portrait
    landmarks: NDArray[np.float32]
    timings: dict[str, float]
    translator: VisualTranslator = field(repr=False)
    framing: Framing
    features: PortraitFeatures = field(repr=False)

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
        """Codes of notices for the caller."""
        return (*self.portrait.notices, *self.framing.notices)

    @property
    def placed_landmarks(self) -> NDArray[np.float32]:
        """The landmarks `[T, 79, 2]` in pixels of the video."""
        return self.framing.place(self.landmarks)

    def frames(self) -> Iterator[NDArray[np.uint8]]:
        """Yield `[B, H, W, 3]` RGB batches in order, rendering a few ahead in threads."""
        device = self.features.image.device
        workforce = Workforce.on(device)
        most = batch_frames(device, self.features.scale)
        if self.framing.compose == "full":
            most = batch_frames(device, FINEST) // PICTURES_SHARE
        starts = batch_starts(self.num_frames, most, workforce.threads)
        batches = np.split(self.landmarks, starts)
        with closing(in_order(self._draw, batches, workforce)) as drawn:
            for _ in batches:
                with timed(self.timings, "render"):
                    frames = next(drawn)
                yield frames

    def _draw(self, landmarks: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Render a batch `[B, H, W, 3]` for landmarks `[B, 79, 2]`, crop units."""
        if self.framing.composer is None:
            return self.translator.render(self.features, landmarks)
        return self.framing.composer.compose(self.translator.animate(self.features, landmarks))


def _composer(portrait: Portrait, options: SynthesisOptions) -> Composer | None:
    """Return the composer that places the face in the picture, or None if the crop is shown."""
    if options.compose == "full":
        return Composer(Canvas.whole(portrait.image, portrait.box))
    if portrait.view == portrait.box:
        return None
    size = options.resolution
    return Composer(Canvas.close_up(portrait.image, portrait.box, portrait.view, size))


@contextmanager
def timed(timings: dict[str, float], step: str) -> Iterator[None]:
    """Add the duration of the context to a step's seconds."""
    begin = time.perf_counter()
    yield
    timings[step] = timings.get(step, 0.0) + time.perf_counter() - begin
