"""The pipeline as a worker sees it, and how it is loaded."""

import pkgutil
from collections.abc import Iterator
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from models.face.landmark_track import LandmarkTrack
from models.options import SynthesisOptions
from workers.settings import WorkerSettings


class Heard(Protocol):
    """The emotion deduced from the speech."""

    @property
    def emotion(self) -> str:
        """The likeliest over the clip."""

    @property
    def probabilities(self) -> dict[str, float]:
        """The mean over the clip, by name."""


class Synthesis(Protocol):
    """One video on its way."""

    @property
    def num_frames(self) -> int:
        """Length of the video."""

    @property
    def size(self) -> tuple[int, int]:
        """The video's width and height, pixels, both even."""

    @property
    def track(self) -> LandmarkTrack:
        """The landmarks in pixels of the video, and the emotion heard with them."""

    @property
    def notices(self) -> tuple[str, ...]:
        """What the caller should know though nothing failed, as codes."""

    @property
    def heard(self) -> Heard:
        """The emotion deduced from the speech."""

    @property
    def timings(self) -> dict[str, float]:
        """Seconds by step, complete once the frames are drained."""

    def frames(self) -> Iterator[NDArray[np.uint8]]:
        """Yield `[B, H, W, 3]` RGB batches in order, rendering each when it is asked for."""


class Pipeline(Protocol):
    """Both stages behind one call; `models.pipeline.TalkingFacePipeline` is the real one."""

    def __call__(
        self, image: NDArray[np.uint8], waveform: NDArray[np.float32], options: SynthesisOptions
    ) -> Synthesis:
        """Begin a video of a `[H, W, 3]` RGB picture and 16 kHz mono samples in [-1, 1].

        Raises:
            MediaError: the caller's portrait or speech clip cannot be used.
        """

    def warm_up(self) -> None:
        """Do once what the first caller should not wait for."""


def load_pipeline(settings: WorkerSettings) -> Pipeline:
    """Return the pipeline that the settings name, loaded and warm."""
    device = choose_device(settings)
    if settings.torch_threads:
        import torch  # a pipeline that needs no torch does not pay for it

        torch.set_num_threads(settings.torch_threads)
    pipeline: Pipeline = pkgutil.resolve_name(settings.pipeline)(device)
    pipeline.warm_up()
    return pipeline


def choose_device(settings: WorkerSettings) -> str:
    """Return the torch device to run on.

    Raises:
        RuntimeError: a GPU is asked for and there is none.
    """
    if settings.device == "cpu":
        return "cpu"
    import torch

    if torch.cuda.is_available():
        return "cuda"
    if settings.device == "cuda":
        raise RuntimeError("AMIGO_DEVICE is cuda, but torch finds no GPU; auto or cpu would run.")
    return "cpu"
