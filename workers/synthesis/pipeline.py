"""The pipeline's interface for the worker, and how it is loaded."""

import pkgutil
from collections.abc import Iterator
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from media.imports import kept_until_exit
from models.face.landmark_track import LandmarkTrack
from models.options import SynthesisOptions
from workers.synthesis.settings import WorkerSettings


class Heard(Protocol):
    """The emotion detected in the speech."""

    @property
    def emotion(self) -> str:
        """The most probable emotion of the clip."""

    @property
    def probabilities(self) -> dict[str, float]:
        """The mean probabilities over the clip, by emotion."""


class Synthesis(Protocol):
    """A video being generated."""

    @property
    def num_frames(self) -> int:
        """Length of the video."""

    @property
    def size(self) -> tuple[int, int]:
        """The video's width and height in pixels, both even."""

    @property
    def track(self) -> LandmarkTrack:
        """The landmarks in pixels of the video, and the detected emotion of each frame."""

    @property
    def notices(self) -> tuple[str, ...]:
        """Codes of notices for the caller."""

    @property
    def heard(self) -> Heard:
        """The emotion detected in the speech."""

    @property
    def timings(self) -> dict[str, float]:
        """Seconds by step; complete once all frames are consumed."""

    def frames(self) -> Iterator[NDArray[np.uint8]]:
        """Yield `[B, H, W, 3]` RGB batches in order, rendering each on demand."""


class Pipeline(Protocol):
    """Both stages behind one call; `models.pipeline.TalkingFacePipeline` is the real
    implementation.
    """

    def __call__(
        self, image: NDArray[np.uint8], waveform: NDArray[np.float32], options: SynthesisOptions
    ) -> Synthesis:
        """Start a video from a `[H, W, 3]` RGB picture and 16 kHz mono samples in [-1, 1].

        Raises:
            MediaError: the caller's portrait or speech clip cannot be used.
        """

    def warm_up(self) -> None:
        """Run once what would otherwise delay the first job."""


def load_pipeline(settings: WorkerSettings) -> Pipeline:
    """Return the pipeline given by the settings, loaded and warmed up."""
    with kept_until_exit():
        device = choose_device(settings)
        if settings.torch_threads:
            import torch  # imported here, so that a pipeline without torch does not load it

            torch.set_num_threads(settings.torch_threads)
        if settings.precision != "auto":
            from models.precision import set_precision

            set_precision(settings.precision)
        pipeline: Pipeline = pkgutil.resolve_name(settings.pipeline)(device)
    pipeline.warm_up()
    return pipeline


def choose_device(settings: WorkerSettings) -> str:
    """Return the torch device to use.

    Raises:
        RuntimeError: a GPU is requested but not available.
    """
    if settings.device == "cpu":
        return "cpu"
    import torch

    if torch.cuda.is_available():
        return "cuda"
    if settings.device == "cuda":
        raise RuntimeError("AMIGO_DEVICE is cuda, but torch finds no GPU; use auto or cpu.")
    return "cpu"
