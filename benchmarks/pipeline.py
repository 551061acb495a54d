"""Benchmark of the example video, step by step, as a Markdown table."""

import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Literal, TypeVar

from benchmarks.machine import machine, peak_memory
from media.audio import FRAME_RATE, SAMPLE_RATE, read_waveform
from media.picture import read_portrait
from media.video import encode_video
from models.options import SynthesisOptions
from models.pipeline import TalkingFacePipeline

EXAMPLES = Path(__file__).parents[1] / "examples"
RUNS = 3
T = TypeVar("T")


def measure_pipeline(device: str, compose: Literal["crop", "full"], resolution: int) -> None:
    """Benchmark the pipeline in this process, warmed up, and print one line per step."""
    options = SynthesisOptions(compose=compose, resolution=resolution)
    image = read_portrait(EXAMPLES / "portrait.jpg")
    waveform = read_waveform(EXAMPLES / "speech.wav")
    load, pipeline = timed(lambda: TalkingFacePipeline.load(device))
    warm_up, _ = timed(pipeline.warm_up)

    def make_video(path: Path) -> dict[str, float]:
        synthesis = pipeline(image, waveform, options)
        whole, _ = timed(lambda: encode_video(path, synthesis.frames(), waveform))
        steps = synthesis.timings
        of_frames = ("encode_portrait", "render", "compose")
        steps["encode_video"] = whole - sum(steps.get(step, 0.0) for step in of_frames)
        return steps

    with TemporaryDirectory() as folder:
        runs = [make_video(Path(folder) / "video.mp4") for _ in range(RUNS)]
    steps = {step: median(run[step] for run in runs) for step in runs[0]}
    print_table(device, load, warm_up, steps, len(waveform) / SAMPLE_RATE)


def timed(work: Callable[[], T]) -> tuple[float, T]:
    """Return the duration of some work in seconds, and its result."""
    began = time.perf_counter()
    outcome = work()
    return time.perf_counter() - began, outcome


def print_table(
    device: str, load: float, warm_up: float, steps: dict[str, float], speech: float
) -> None:
    """Print seconds by step, each also as a ratio to the length of the speech."""
    total = sum(steps.values())
    frames = speech * FRAME_RATE
    print(f"{machine(device)}; {speech:.1f} s of speech, median of {RUNS} runs\n")
    print("| step | seconds | of the speech's length | frames a second |")
    print("|---|---|---|---|")
    for name, seconds in {**steps, "all": total}.items():
        print(f"| {name} | {seconds:.2f} | {seconds / speech:.2f}x | {frames / seconds:.0f} |")
    print(f"\nOnce a process: load {load:.2f} s, warm up {warm_up:.2f} s.")
    print(f"Real-time factor {total / speech:.2f}; peak memory {peak_memory():.0f} MiB.")
