"""Benchmark of the example video, step by step, as Markdown tables."""

import json
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import numpy as np
from torch import Tensor, nn

from benchmarks.machine import bandwidth, machine, multiply_adds, peak_memory
from benchmarks.stopwatch import Stopwatch, Time
from media import video as video_file
from media.audio import FRAME_RATE, SAMPLE_RATE, read_waveform
from media.picture import read_portrait
from media.video import encode_video
from models import animation, pipeline
from models.landmarks_to_video import visual_translator
from models.landmarks_to_video.portrait_composer import Composer
from models.landmarks_to_video.visual_translator import VisualTranslator
from models.options import SynthesisOptions
from models.pipeline import TalkingFacePipeline

EXAMPLES = Path(__file__).parents[1] / "examples"
RUNS = 3
FRAME_BYTES = 3 + 2 * 4 + 3 + 3 + 1.5
"""Bytes of a frame's pixel: read, its place, written; read to be encoded, converted."""
START = """
import json, time
began = time.perf_counter()
from models.pipeline import TalkingFacePipeline
imported = time.perf_counter()
pipeline = TalkingFacePipeline.load()
loaded = time.perf_counter()
pipeline.warm_up()
times = began, imported, loaded, time.perf_counter()
print(json.dumps([after - before for before, after in zip(times, times[1:])]))
"""


def measure_pipeline(device: str, compose: Literal["crop", "full"], resolution: int) -> None:
    """Benchmark a job's work in this process, warmed up, and print one line per step."""
    options = SynthesisOptions(compose=compose, resolution=resolution)
    talking_face = TalkingFacePipeline.load(device)
    talking_face.warm_up()
    work = counted_work(talking_face.translator)
    with TemporaryDirectory() as folder:
        whole, watch, seconds = fastest_job(talking_face, options, Path(folder) / "video.mp4")
    frames = round(seconds * FRAME_RATE)
    print(f"\n{machine(device)}; {seconds:.1f} s of speech at {resolution} px, best of {RUNS}\n")
    print_steps(watch, whole, frames)
    print(
        f"\nWhole job: {whole.wall / seconds:.2f} s and {whole.cpu / seconds:.2f} CPU seconds "
        f"a second of speech, {whole.cpu / whole.wall:.2f} cores busy, "
        f"first frames after {watch.first_frames:.2f} s, peak memory {peak_memory():.0f} MiB."
    )
    if device == "cpu":
        print_floor(work, resolution)


def measure_start() -> None:
    """Print how long a new process takes until its pipeline is warm."""
    command = [sys.executable, "-c", START]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    steps = dict(zip(("import", "load", "warm up"), json.loads(output), strict=True))
    listed = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in steps.items())
    print(f"\nOnce a process: {listed}; together {sum(steps.values()):.2f} s.")


def fastest_job(
    talking_face: TalkingFacePipeline, options: SynthesisOptions, path: Path
) -> tuple[Time, Stopwatch, float]:
    """Return the times of the job that took least CPU, and the length of its speech."""
    runs = [timed_job(talking_face, options, path) for _ in range(RUNS)]
    return min(runs, key=lambda run: run[0].cpu)


def timed_job(
    talking_face: TalkingFacePipeline, options: SynthesisOptions, path: Path
) -> tuple[Time, Stopwatch, float]:
    """Make the example video as a worker does, without store and sandbox."""
    watch = Stopwatch()
    translator = talking_face.translator
    with (
        watch.on("detect face", pipeline, "crop_portrait"),
        watch.on("stage one", talking_face, "_generate"),
        watch.on("retarget", pipeline, "retarget_landmarks"),
        watch.on("prepare portrait", translator, "prepare"),
        watch.on("spline", visual_translator, "spline_flow"),
        watch.on("motion network", translator, "_residual"),
        watch.on("mouth painter", translator.mouth, "paint"),
        watch.on("eyes painter", translator.eyes, "paint"),
        watch.on("closing lips", visual_translator, "_with_lips_closed"),
        watch.on("warp and draw", visual_translator, "draw_on_cpu"),
        watch.on("compose", Composer, "compose"),
        watch.on("render", animation.Animation, "_draw"),
        watch.on("colour conversion", video_file, "_video_frame"),
        watch.whole() as whole,
    ):
        with watch.step("decode portrait"):
            image = read_portrait(EXAMPLES / "portrait.jpg")
        with watch.step("decode speech"):
            waveform = read_waveform(EXAMPLES / "speech.wav")
        synthesis = talking_face(image, waveform, options)
        encode_video(path, watch.noting_first(synthesis.frames()), waveform)
    return whole(), watch, len(waveform) / SAMPLE_RATE


def print_steps(watch: Stopwatch, whole: Time, frames: int) -> None:
    """Print wall and CPU seconds by step; those of a frame are added up over all threads."""
    print("| step | wall s | CPU s | CPU ms a frame |")
    print("|---|---|---|---|")
    rendering = watch.times.pop("render")
    rows = dict(watch.times)
    parts = ("spline", "motion network", "mouth painter", "eyes painter", "closing lips")
    drawn = [rows[name] for name in (*parts, "warp and draw", "compose") if name in rows]
    rows["rest of rendering"] = rendering - sum(drawn, Time())
    others = sum((t for name, t in watch.times.items() if t not in drawn), Time())
    rows["encoder, helping threads"] = Time(0.0, max(0.0, whole.cpu - rendering.cpu - others.cpu))
    for name, time in rows.items():
        wall = f"{time.wall:.2f}" if time.wall else ""
        print(f"| {name} | {wall} | {time.cpu:.2f} | {1000 * time.cpu / frames:.2f} |")
    print(f"| all | {whole.wall:.2f} | {whole.cpu:.2f} | {1000 * whole.cpu / frames:.2f} |")


def print_floor(work: dict[int, float], resolution: int) -> None:
    """Print what a frame's arithmetic and memory would take at this machine's best."""
    rate, speed = multiply_adds(), bandwidth()
    pixels = resolution * resolution * FRAME_BYTES
    print(
        f"Floor of a frame, one thread: {work[resolution] / 1e6:.0f} million multiply-adds at "
        f"{rate / 1e9:.0f} billion a second, {1000 * work[resolution] / rate:.1f} ms; "
        f"{pixels / 1e6:.1f} MB at {speed / 1e9:.1f} GB/s, {1000 * pixels / speed:.1f} ms; "
        "and the encoder."
    )


def counted_work(translator: VisualTranslator) -> dict[int, float]:
    """Return the multiply-adds of a frame's convolutions and linear layers, by resolution."""
    done = 0.0

    def count(layer: nn.Module, _: object, made: Tensor) -> None:
        nonlocal done
        assert isinstance(layer, (nn.Conv2d, nn.Linear))
        places = made.numel() / made.shape[1]
        done += places * layer.weight.numel()

    layers = [m for m in translator.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    hooks = [layer.register_forward_hook(count) for layer in layers]
    work = {}
    for side in visual_translator.RESOLUTIONS:
        points = np.random.default_rng(0).uniform(40, 200, (79, 2)).astype(np.float32)
        features = translator.prepare(np.zeros((side, side, 3), np.uint8), points)
        done = 0.0
        translator.animate(features, points[None] + 1)
        work[side] = done
    for hook in hooks:
        hook.remove()
    return work
