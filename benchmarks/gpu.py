"""Benchmark of a GPU: `python -m benchmarks.gpu [--device cuda]`.

It needs no face detector: the example's landmarks lie beside this file. It prints the frames per
second of stage two by resolution and batch, whole jobs with their encoding, several of them side by
side, and how far the frames are from those of the CPU.
"""

import argparse
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.machine import machine
from media.audio import SAMPLE_RATE, read_waveform
from media.faces.landmarks import LandmarkDetector
from media.faces.portrait import Portrait, crop_portrait
from media.picture import read_portrait
from media.video import encode_video
from models.face.covering import CoveringNetwork
from models.face.retargeting import retarget_landmarks
from models.landmarks_to_video.visual_translator import RESOLUTIONS, VisualTranslator
from models.options import SynthesisOptions
from models.pipeline import TalkingFacePipeline
from models.speech_to_landmarks.landmark_generator import LandmarkGenerator

EXAMPLES = Path(__file__).parents[1] / "examples"
BATCHES = (8, 32, 128, 256)
SIDE_BY_SIDE = (1, 2, 4)
REPEATS = 5


class KnownFace(LandmarkDetector):
    """Finds the example's face where a detector found it before; needs no MediaPipe."""

    def __init__(self) -> None:
        """Load nothing."""

    def detect(self, image: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        """Return the landmarks `[79, 2]` of the example portrait, whatever the picture."""
        del image
        return [np.load(Path(__file__).with_name("example_landmarks.npy"))]

    def silhouette(self, crop: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return a person who fills the crop `[S, S, 3]`."""
        return np.ones(crop.shape[:2], np.float32)


def main() -> None:
    """Read the command line and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--batches", type=int, nargs="+", default=BATCHES)
    options = parser.parse_args()
    device = torch.device(options.device)
    print(machine(options.device))
    portrait = crop_portrait(read_portrait(EXAMPLES / "portrait.jpg"), KnownFace())
    landmarks = spoken_landmarks(portrait, device)
    render_frames(portrait, landmarks, device, options.batches)
    compare_with_cpu(portrait, landmarks, device)
    whole_jobs(options.device)


def spoken_landmarks(portrait: Portrait, device: torch.device) -> NDArray[np.float32]:
    """Generate the example's landmarks `[T, 79, 2]`, and print how long that takes."""
    waveform = read_waveform(EXAMPLES / "speech.wav")
    generator = LandmarkGenerator.load(device)
    for _ in range(2):
        began = time.perf_counter()
        motion = generator.generate(waveform)
        seconds = time.perf_counter() - began
    print(f"\nStage one, {len(waveform) / SAMPLE_RATE:.1f} s of speech: {seconds:.3f} s")
    return retarget_landmarks(portrait.landmarks, motion)


def render_frames(
    portrait: Portrait, landmarks: NDArray[np.float32], device: torch.device, batches: Sequence[int]
) -> None:
    """Print the frames per second of stage two, from landmarks to pixels in the host's memory."""
    translator = VisualTranslator.load(device)
    print("\n| side | batch | frames a second | ms a batch |\n|---|---|---|---|")
    for side in RESOLUTIONS:
        features = translator.prepare(portrait.cut(side), portrait.landmarks)
        for batch in batches:
            wanted = np.resize(landmarks, (batch, *landmarks.shape[1:]))
            translator.render(features, wanted)
            began = time.perf_counter()
            for _ in range(REPEATS):
                translator.render(features, wanted)
            seconds = (time.perf_counter() - began) / REPEATS
            print(f"| {side} | {batch} | {batch / seconds:.0f} | {1000 * seconds:.0f} |")


def compare_with_cpu(
    portrait: Portrait, landmarks: NDArray[np.float32], device: torch.device
) -> None:
    """Print how far the device's frames are from the CPU's, in levels of 255."""
    chosen = landmarks[:: max(1, len(landmarks) // 8)]
    frames = []
    for place in (device, torch.device("cpu")):
        translator = VisualTranslator.load(place)
        features = translator.prepare(portrait.cut(max(RESOLUTIONS)), portrait.landmarks)
        frames.append(translator.render(features, chosen).astype(np.int16))
    difference = np.abs(frames[0] - frames[1])
    print(
        f"\nAgainst the CPU: {difference.mean():.3f} levels on average, 99.9% of the values "
        f"within {np.quantile(difference, 0.999):.0f}"
    )


def whole_jobs(device: str) -> None:
    """Print seconds of speech made per second, one job at a time and several side by side."""
    waveform = read_waveform(EXAMPLES / "speech.wav")
    image = read_portrait(EXAMPLES / "portrait.jpg")
    pipeline = TalkingFacePipeline(
        KnownFace(),
        LandmarkGenerator.load(torch.device(device)),
        VisualTranslator.load(torch.device(device)),
        CoveringNetwork.load(),
    )

    def job(path: Path, side: int) -> None:
        synthesis = pipeline(image, waveform, SynthesisOptions(resolution=side))
        encode_video(path, synthesis.frames(), waveform)

    print("\n| side | jobs side by side | times real time | jobs an hour |\n|---|---|---|---|")
    with TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{n}.mp4" for n in range(max(SIDE_BY_SIDE))]
        for side in RESOLUTIONS:
            job(paths[0], side)
            for count in SIDE_BY_SIDE:
                began = time.perf_counter()
                with ThreadPoolExecutor(count) as pool:
                    list(pool.map(job, paths[:count], [side] * count))
                seconds = time.perf_counter() - began
                speed = count * len(waveform) / SAMPLE_RATE / seconds
                print(f"| {side} | {count} | {speed:.1f} | {3600 * count / seconds:.0f} |")


if __name__ == "__main__":
    main()
