"""Small pipelines that a worker under test loads instead of the real one, by `AMIGO_PIPELINE`.

The grey level of a frame shows its position. The seed selects further behaviour.
"""

import ctypes
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from media.errors import NoFace
from models.face.landmark_track import LandmarkTrack
from models.options import SynthesisOptions
from tests.fakes.pipeline import blank_track

BATCH_FRAMES = 5
SLOW, NO_FACE, POISON, FAULTY = 1, 2, 3, 4
"""Seeds: 0.2 s per batch; a portrait without a face; the child is killed; an unexpected error."""
HUNG, DEAF = 5, 6
"""Seeds: native code that does not return the first time; native code that blocks all threads."""
SECONDS_A_BATCH = 0.2


@dataclass(frozen=True)
class GreyHeard:
    emotion: str = "neutral"
    probabilities: dict[str, float] = field(default_factory=lambda: {"neutral": 1.0})


@dataclass(frozen=True)
class GreySynthesis:
    num_frames: int
    seed: int
    notices: tuple[str, ...] = ("grey",)
    heard: GreyHeard = GreyHeard()
    timings: dict[str, float] = field(default_factory=dict)
    size: tuple[int, int] = (64, 64)

    @property
    def track(self) -> LandmarkTrack:
        return blank_track(self.num_frames, self.size)

    def frames(self) -> Iterator[NDArray[np.uint8]]:
        for start in range(0, self.num_frames, BATCH_FRAMES):
            if self.seed == SLOW:
                time.sleep(SECONDS_A_BATCH)
            count = min(BATCH_FRAMES, self.num_frames - start)
            yield np.full((count, 64, 64, 3), 255 * start // self.num_frames, np.uint8)
        self.timings["render"] = 0.5


class GreyPipeline:
    def __init__(self, device: str) -> None:
        self.device = device

    def warm_up(self) -> None:
        pass

    def __call__(
        self, image: NDArray[np.uint8], waveform: NDArray[np.float32], options: SynthesisOptions
    ) -> GreySynthesis:
        if options.seed == NO_FACE:
            raise NoFace("No face was found; one face that looks at the camera is accepted.")
        if options.seed == FAULTY:
            raise RuntimeError("a fault with a secret in it")
        if options.seed == POISON:
            os.kill(os.getpid(), signal.SIGKILL)
        if options.seed in (HUNG, DEAF) and is_first_time():
            library = ctypes.PyDLL(None) if options.seed == DEAF else ctypes.CDLL(None)
            library.sleep(3600)
        return GreySynthesis(num_frames=max(1, round(len(waveform) / 640)), seed=options.seed)


def is_first_time() -> bool:
    mark = Path(os.environ["AMIGO_RUN_DIRECTORY"]) / "hung"
    was_there = mark.exists()
    mark.touch()
    return not was_there


def slow_to_load(device: str) -> GreyPipeline:
    print("The pipeline is being loaded", flush=True)
    time.sleep(3600)
    return GreyPipeline(device)


def broken(device: str) -> GreyPipeline:
    raise FileNotFoundError("weights are missing")
