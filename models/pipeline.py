"""Both stages behind one call: a portrait and a waveform in, the frames of a talking face out."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray

from media.audio import SAMPLES_PER_FRAME
from media.emotions import EMOTIONS
from models.face.landmark_motion import LandmarkMotion
from models.face.landmark_track import LandmarkTrack
from models.face.landmarks import CROP_SIZE, NUM_LANDMARKS, LandmarkDetector
from models.face.portrait import Portrait, crop_portrait
from models.face.retargeting import retarget_landmarks
from models.landmarks_to_video.compose import Canvas, Composer
from models.landmarks_to_video.visual_translator import PortraitFeatures, VisualTranslator
from models.options import SynthesisOptions
from models.speech_to_landmarks.landmark_generator import LandmarkGenerator

BATCH_FRAMES = 8


@dataclass(frozen=True)
class HeardEmotions:
    """The emotion deduced from the speech: `[T, 8]` probabilities in the order of EMOTIONS."""

    over_time: NDArray[np.float32]

    @property
    def probabilities(self) -> dict[str, float]:
        """The mean over the clip, by name."""
        means = self.over_time.mean(axis=0)
        return {str(e): round(float(p), 4) for e, p in zip(EMOTIONS, means, strict=True)}

    @property
    def emotion(self) -> str:
        """The likeliest emotion over the clip."""
        return max(self.probabilities.items(), key=lambda item: item[1])[0]


@dataclass
class Synthesis:
    """One video on its way: what is known before the first frame, and the frames themselves.

    `landmarks` is `[T, 79, 2]` in pixels of the face crop. `timings` holds seconds by step and is
    complete once `frames` is drained. Without a `composer`, the video is the crop itself.
    """

    portrait: Portrait
    heard: HeardEmotions
    landmarks: NDArray[np.float32]
    timings: dict[str, float]
    translator: VisualTranslator = field(repr=False)
    composer: Composer | None = field(default=None, repr=False)

    @property
    def num_frames(self) -> int:
        """Length of the video."""
        return len(self.landmarks)

    @property
    def size(self) -> tuple[int, int]:
        """The video's width and height, pixels."""
        return self.composer.size if self.composer else (CROP_SIZE, CROP_SIZE)

    @property
    def track(self) -> LandmarkTrack:
        """The landmarks in pixels of the video, and the emotion heard with them."""
        placed = self.composer.place(self.landmarks) if self.composer else self.landmarks
        return LandmarkTrack(placed, self.heard.over_time)

    @property
    def notices(self) -> tuple[str, ...]:
        """What the caller should know though nothing failed, as codes."""
        return self.portrait.notices

    def frames(self) -> Iterator[NDArray[np.uint8]]:
        """Yield `[B, H, W, 3]` RGB batches in order, rendering each when it is asked for."""
        with _timed(self.timings, "encode_portrait"):
            features = self.translator.prepare(self.portrait.crop, self.portrait.landmarks)
        for start in range(0, self.num_frames, BATCH_FRAMES):
            yield self._draw(features, self.landmarks[start : start + BATCH_FRAMES])

    def _draw(
        self, features: PortraitFeatures, landmarks: NDArray[np.float32]
    ) -> NDArray[np.uint8]:
        """Return one batch `[B, H, W, 3]` under landmarks `[B, 79, 2]`, pixels of the crop."""
        if self.composer is None:
            with _timed(self.timings, "render"):
                return self.translator.render(features, landmarks)
        with _timed(self.timings, "render"):
            rendering = self.translator.animate(features, landmarks)
        with _timed(self.timings, "compose"):
            return self.composer.compose(rendering)


class TalkingFacePipeline:
    """AMIGO's two stages, loaded once and called once a video."""

    def __init__(
        self,
        detector: LandmarkDetector,
        generator: LandmarkGenerator,
        translator: VisualTranslator,
    ) -> None:
        self.detector = detector
        self.generator = generator
        self.translator = translator

    @classmethod
    def load(cls, device: str = "cpu") -> Self:
        """Return the pipeline with the shipped weights on `device`, any name torch knows.

        Raises:
            CheckpointError: a weights file is missing or damaged.
        """
        target = torch.device(device)
        return cls(
            LandmarkDetector(), LandmarkGenerator.load(target), VisualTranslator.load(target)
        )

    def __call__(
        self,
        image: NDArray[np.uint8],
        waveform: NDArray[np.float32],
        options: SynthesisOptions = SynthesisOptions(),  # noqa: B008 (frozen)
    ) -> Synthesis:
        """Return the synthesis of a `[H, W, 3]` RGB picture and 16 kHz mono samples in [-1, 1].

        Raises:
            PortraitError: the picture holds no face that can be animated.
        """
        timings: dict[str, float] = {}
        with _timed(timings, "detect_landmarks"):
            portrait = crop_portrait(image, self.detector)
        with _timed(timings, "generate_landmarks"):
            motion = self._generate(waveform, options)
            landmarks = retarget_landmarks(portrait.landmarks, motion)
        return Synthesis(
            portrait=portrait,
            heard=HeardEmotions(motion.emotions),
            landmarks=landmarks,
            timings=timings,
            translator=self.translator,
            composer=_composer(portrait, options),
        )

    def _generate(self, waveform: NDArray[np.float32], options: SynthesisOptions) -> LandmarkMotion:
        return self.generator.generate(
            waveform,
            emotion=options.emotion,
            intensity=options.intensity,
            seed=options.seed,
            blink=options.blink,
            pose=options.pose,
        )

    def warm_up(self) -> None:
        """Run both networks once, so that the first caller does not wait for lazy set-up."""
        self._generate(np.zeros(5 * SAMPLES_PER_FRAME, np.float32), SynthesisOptions())
        # Any distinct points will do for landmarks: the work does not depend on where they lie.
        ticks = np.linspace(0, CROP_SIZE, 2 * NUM_LANDMARKS, dtype=np.float32)
        points = np.stack([ticks[::2], np.roll(ticks, 1)[1::2]], axis=1)
        features = self.translator.prepare(np.zeros((CROP_SIZE, CROP_SIZE, 3), np.uint8), points)
        self.translator.render(features, np.repeat(points[None] + 1, BATCH_FRAMES, axis=0))


def _composer(portrait: Portrait, options: SynthesisOptions) -> Composer | None:
    """Return what lays the face into the picture, or None where the crop is what is shown."""
    if options.compose == "full":
        return Composer(Canvas.whole(portrait.image, portrait.box))
    if portrait.view == portrait.box:
        return None
    return Composer(Canvas.close_up(portrait.image, portrait.box, portrait.view, CROP_SIZE))


@contextmanager
def _timed(timings: dict[str, float], step: str) -> Iterator[None]:
    begin = time.perf_counter()
    yield
    timings[step] = timings.get(step, 0.0) + time.perf_counter() - begin
