"""Renders a portrait from landmarks in this process: stage two alone."""

from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from amigo.cli.inputs import Inputs
from amigo.cli.output import Bar, counted
from media.audio import FRAME_RATE, SAMPLES_PER_FRAME
from media.provenance import Provenance
from media.video import encode_video
from models.face.given_landmarks import GivenLandmarks, LandmarksUnusable
from models.manifest import weights_digest
from models.options import SynthesisOptions
from models.pipeline import TalkingFacePipeline

Composition = Literal["crop", "full"]


@dataclass(frozen=True)
class Choices:
    """Options of the video; `compose` None means the same as in the landmarks' video."""

    compose: Composition | None
    face: str
    resolution: int
    device: str


def animate(
    reading: Future[Inputs], landmarks: Path, output: Path, choices: Choices, bar: Bar
) -> float:
    """Generate the video of a portrait that is being read, and return its length in seconds.

    The sound is cut, or filled with silence, to the length of the landmarks.

    Raises:
        OSError: an input cannot be read, or the output cannot be written.
        LandmarksUnusable: the landmarks cannot drive a portrait.
        MediaError: the portrait or the sound cannot be used.
        DecoderUnavailable: files cannot be decoded on this machine.
        DetectorUnavailable: faces cannot be detected on this machine.
        CheckpointError: a weights file is missing or damaged.
    """
    bar.show("reading", 0.0)
    given = GivenLandmarks.read(landmarks)
    options = SynthesisOptions(
        compose=_composition(given, choices.compose),
        face=choices.face,
        resolution=choices.resolution,
    )
    inputs = reading.result()
    bar.show("loading", 0.0)
    pipeline = TalkingFacePipeline.load(choices.device, inputs.detector)
    animation = pipeline.animate(inputs.pixels, given.landmarks, options, given.size)
    provenance = Provenance.now(weights=weights_digest())
    sound = _fitted(inputs.waveform, len(given.landmarks))
    encode_video(
        output, counted(animation.frames(), animation.num_frames, bar), sound, provenance=provenance
    )
    bar.show("done", 1.0)
    return animation.num_frames / FRAME_RATE


def _composition(given: GivenLandmarks, wanted: Composition | None) -> Composition:
    """Return what the video shows.

    Raises:
        LandmarksUnusable: it differs from the landmarks' video.
    """
    if given.compose and wanted and given.compose != wanted:
        raise LandmarksUnusable(
            f"The landmarks are from a video with compose {given.compose}; their coordinates do "
            f"not fit one with compose {wanted}."
        )
    return given.compose or wanted or "crop"


def _fitted(heard: NDArray[np.float32], frames: int) -> NDArray[np.float32]:
    """Return sound `[N]` at 16 kHz, cut or extended to the exact length of the frames."""
    waveform = np.zeros(frames * SAMPLES_PER_FRAME, np.float32)
    heard = heard[: len(waveform)]
    waveform[: len(heard)] = heard
    return waveform
