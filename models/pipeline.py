"""Both stages behind one call: a portrait and a waveform to the frames of a talking face."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray

from media.audio import SAMPLE_RATE, SAMPLES_PER_FRAME
from media.emotions import EMOTIONS
from media.faces.landmarks import CROP_SIZE, NUM_LANDMARKS, LandmarkDetector
from media.faces.portrait import Detector, Portrait, crop_portrait
from models.animation import Animation, Framing, timed
from models.face.covering import CoveringNetwork
from models.face.given_landmarks import check_place, checked
from models.face.landmark_motion import LandmarkMotion
from models.face.landmark_track import LandmarkTrack
from models.face.retargeting import retarget_landmarks
from models.landmarks_to_video.portrait_features import PortraitFeatures
from models.landmarks_to_video.visual_translator import RESOLUTIONS, VisualTranslator
from models.options import SynthesisOptions
from models.side_by_side import FIRST_FRAMES, batch_frames
from models.speech_to_landmarks.landmark_generator import LandmarkGenerator

SHORT_SPEECH = 10.0
"""Seconds of speech up to which its landmarks are generated with half of the threads: on two cores,
a second thread makes that hardly faster, and the portrait takes as long.
"""


@dataclass(frozen=True)
class HeardEmotions:
    """The emotion detected in the speech.

    Probabilities in the order of EMOTIONS, `[T, 8]` over time and `[8]` overall.
    """

    over_time: NDArray[np.float32]
    overall: NDArray[np.float32]

    @property
    def probabilities(self) -> dict[str, float]:
        """The probabilities on the whole, by name."""
        return {str(e): round(float(p), 4) for e, p in zip(EMOTIONS, self.overall, strict=True)}

    @property
    def emotion(self) -> str:
        """The most probable emotion of the clip."""
        return max(self.probabilities.items(), key=lambda item: item[1])[0]


@dataclass
class Synthesis(Animation):
    """A video generated from speech: the animation, and the detected emotion."""

    heard: HeardEmotions

    @property
    def track(self) -> LandmarkTrack:
        """The landmarks in pixels of the video, and the detected emotion of each frame."""
        return LandmarkTrack(
            self.placed_landmarks, self.heard.over_time, self.size, self.framing.compose
        )


class TalkingFacePipeline:
    """AMIGO's two stages, loaded once and called once per video."""

    def __init__(
        self,
        detector: Detector,
        generator: LandmarkGenerator,
        translator: VisualTranslator,
        covering: CoveringNetwork,
    ) -> None:
        self.detector = detector
        self.generator = generator
        self.translator = translator
        self.covering = covering

    @classmethod
    def load(cls, device: str = "cpu", detector: Detector | None = None) -> Self:
        """Return the pipeline with the shipped weights on `device`, any device name of torch.

        It finds faces with `detector`; None loads one into this process.

        Raises:
            CheckpointError: a weights file is missing or damaged.
        """
        target = torch.device(device)
        with ThreadPoolExecutor() as beside:
            finder = beside.submit(lambda: detector or LandmarkDetector())
            translator = beside.submit(VisualTranslator.load, target)
            generator = LandmarkGenerator.load(target)
            covering = CoveringNetwork.load()
        return cls(finder.result(), generator, translator.result(), covering)

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
        # The portrait is prepared while the speech is heard; its time is what it takes longer.
        with ThreadPoolExecutor(
            2, initializer=torch.set_num_threads, initargs=(_threads_each(waveform),)
        ) as pool:
            prepared = pool.submit(self._prepare, image, options)
            generated = pool.submit(self._generate, waveform, options)
            with timed(timings, "generate_landmarks"):
                motion = generated.result()
            with timed(timings, "prepare_portrait"):
                portrait, framing, features = prepared.result()
        return Synthesis(
            portrait=portrait,
            heard=HeardEmotions(motion.emotions, motion.heard),
            landmarks=retarget_landmarks(portrait.landmarks, motion, eyes=options.eyes),
            timings=timings,
            translator=self.translator,
            framing=framing,
            features=features,
        )

    def animate(
        self,
        image: NDArray[np.uint8],
        landmarks: NDArray[np.float32],
        options: SynthesisOptions = SynthesisOptions(),  # noqa: B008 (frozen)
        size: tuple[int, int] | None = None,
    ) -> Animation:
        """Return the animation of a picture `[H, W, 3]` under given landmarks: stage two alone.

        Args:
            image: the portrait, RGB.
            landmarks: `[T, 79, 2]` in pixels of the video, as `Synthesis.track` has them. They are
                rendered as they are: nothing is retargeted to the portrait.
            options: `compose`, `face` and `resolution` count; the others belong to stage one.
            size: width and height of the frames that the landmarks count in; None: the video's own.

        Raises:
            LandmarksUnusable: of another shape, not finite, too many or far outside the frames.
            PortraitError: the picture holds no face that can be animated.
        """
        given = checked(landmarks)
        timings: dict[str, float] = {}
        with timed(timings, "prepare_portrait"):
            portrait, framing, features = self._prepare(image, options)
        if size:
            given = given * (np.array(framing.size) / size).astype(np.float32)
        check_place(given, framing.size)
        return Animation(
            portrait=portrait,
            landmarks=framing.locate(given),
            timings=timings,
            translator=self.translator,
            framing=framing,
            features=features,
        )

    def _prepare(
        self, image: NDArray[np.uint8], options: SynthesisOptions
    ) -> tuple[Portrait, Framing, PortraitFeatures]:
        portrait = crop_portrait(image, self.detector, options.face)
        self.covering.check(portrait.crop)
        portrait = replace(portrait, silhouette=self.detector.silhouette(portrait.crop))
        framing = Framing.of(portrait, options)
        crop = portrait.cut(framing.detail)
        features = self.translator.prepare(crop, portrait.landmarks, portrait.silhouette)
        return portrait, framing, features

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
        """Run both networks once, so that lazy initialization does not delay the first job."""
        self._generate(np.zeros(5 * SAMPLES_PER_FRAME, np.float32), SynthesisOptions())
        # Any distinct points will do as landmarks: the amount of work does not depend on their
        # positions.
        ticks = np.linspace(0, CROP_SIZE, 2 * NUM_LANDMARKS, dtype=np.float32)
        points = np.stack([ticks[::2], np.roll(ticks, 1)[1::2]], axis=1)
        for size in RESOLUTIONS:
            features = self.translator.prepare(np.zeros((size, size, 3), np.uint8), points)
            device = features.image.device
            # A GPU chooses its kernels by a batch's size.
            count = FIRST_FRAMES if device.type == "cpu" else batch_frames(device, features.scale)
            self.translator.render(features, np.repeat(points[None] + 1, count, axis=0))


def _threads_each(waveform: NDArray[np.float32]) -> int:
    """Return how many threads of torch hear the speech `[N]`, and as many prepare the portrait."""
    available = torch.get_num_threads()
    is_short = len(waveform) <= SHORT_SPEECH * SAMPLE_RATE
    return max(1, available // 2) if is_short else available
