"""The pipeline on a CUDA device generates the same video as on a CPU."""

from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch

from benchmarks.gpu import KnownFace
from media.audio import SAMPLE_RATE, read_waveform
from media.picture import read_portrait
from models.face.covering import CoveringNetwork
from models.landmarks_to_video.visual_translator import VisualTranslator
from models.options import SynthesisOptions
from models.pipeline import Synthesis, TalkingFacePipeline
from models.speech_to_landmarks.landmark_generator import LandmarkGenerator

EXAMPLES = Path(__file__).parents[2] / "examples"

pytestmark = pytest.mark.skipif(
    not torch.cuda.is_available(),
    reason="no CUDA device; on a machine that has one, run `make test-gpu`",
)


def synthesize(device: str, options: SynthesisOptions) -> Synthesis:
    waveform = read_waveform(EXAMPLES / "speech.wav")[: 2 * SAMPLE_RATE]
    image = read_portrait(EXAMPLES / "portrait.jpg")
    place = torch.device(device)
    pipeline = TalkingFacePipeline(
        KnownFace(),
        LandmarkGenerator.load(place),
        VisualTranslator.load(place),
        CoveringNetwork.load(),
    )
    return pipeline(image, waveform, options)


@pytest.mark.parametrize("compose", ["crop", "full"])
def test_landmarks_and_frames_are_those_of_the_cpu(compose: Literal["crop", "full"]) -> None:
    options = SynthesisOptions(compose=compose)
    here, there = synthesize("cpu", options), synthesize("cuda", options)
    assert np.abs(here.landmarks - there.landmarks).mean() < 0.5
    frames = [np.concatenate(list(s.frames())).astype(np.int16) for s in (here, there)]
    assert np.abs(frames[0] - frames[1]).mean() < 2
