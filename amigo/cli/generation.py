"""Runs the pipeline in this process, without a service: portrait and speech to a video file."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from amigo.cli.inputs import Inputs
from amigo.cli.options import Look
from amigo.cli.output import Bar, counted
from media.audio import FRAME_RATE
from media.emotions import EMOTIONS, Emotion
from media.files import written_whole
from media.picture import explaining_animation
from media.provenance import Provenance
from media.video import encode_video
from media.watermark import Watermark
from models.manifest import weights_digest
from models.options import SynthesisOptions
from models.pipeline import Synthesis, TalkingFacePipeline


@dataclass
class Generation:
    """A video generated in this process, with the notices and the duration of each step."""

    synthesis: Synthesis
    options: SynthesisOptions
    provenance: Provenance
    notices: tuple[str, ...] = ()
    steps: dict[str, float] = field(default_factory=dict)

    @property
    def timings(self) -> dict[str, float]:
        """Seconds by step, including those of the pipeline."""
        return {**self.steps, **self.synthesis.timings}

    @property
    def duration(self) -> float:
        """Length of the video in seconds."""
        return self.synthesis.num_frames / FRAME_RATE

    def save_report(self, path: Path) -> None:
        """Write the detected emotion of each frame, and the duration of each step."""
        heard = self.synthesis.heard
        report = {
            "synthetic": True,
            "model": self.provenance.model,
            "created_at": self.provenance.moment,
            "options": asdict(self.options),
            "num_frames": self.synthesis.num_frames,
            "frame_rate": FRAME_RATE,
            "duration": self.duration,
            "notices": self.notices,
            "emotion": heard.emotion,
            "probabilities": heard.probabilities,
            "emotions": [str(emotion) for emotion in EMOTIONS],
            "probabilities_by_frame": np.round(heard.over_time.astype(float), 4).tolist(),
            "timings": self.timings,
        }
        with written_whole(path) as partial:
            partial.write_text(json.dumps(report, indent=1) + "\n")

    def save_landmarks(self, path: Path) -> None:
        """Write the landmarks in pixels of the video, in the format of `LandmarkTrack`."""
        with written_whole(path) as partial:
            partial.write_bytes(self.synthesis.track.to_npz(self.provenance))


def generate(
    reading: Future[Inputs], output: Path, look: Look, device: str, bar: Bar
) -> Generation:
    """Generate the video from a portrait and speech that are being read, and return the result.

    Raises:
        OSError: an input cannot be read, or the output cannot be written.
        MediaError: the portrait or the speech clip cannot be used.
        DecoderUnavailable: files cannot be decoded on this machine.
        DetectorUnavailable: faces cannot be detected on this machine.
        CheckpointError: a weights file is missing or damaged.
    """
    options = synthesis_options(look)
    steps: dict[str, float] = {}
    bar.show("reading", 0.0)
    with _timed(steps, "read_inputs"):
        inputs = reading.result()
    bar.show("loading", 0.0)
    with _timed(steps, "load_pipeline"):
        pipeline = TalkingFacePipeline.load(device, inputs.detector)
    bar.show("listening", 0.0)
    with explaining_animation(inputs.portrait):
        synthesis = pipeline(inputs.pixels, inputs.waveform, options)
    provenance = Provenance.now(weights=weights_digest())
    with _timed(steps, "render_and_encode"):
        frames = counted(synthesis.frames(), synthesis.num_frames, bar)
        if look.mark:
            frames = Watermark.beside(synthesis.track.landmarks, synthesis.size).over(frames)
        encode_video(output, frames, inputs.waveform, provenance=provenance)
    bar.show("done", 1.0)
    notices = (*inputs.notices, *synthesis.notices)
    return Generation(synthesis, options, provenance, notices, steps)


def synthesis_options(look: Look) -> SynthesisOptions:
    """Return the pipeline's options; the watermark is not one of them."""
    chosen = asdict(look)
    del chosen["mark"]
    chosen["emotion"] = None if look.emotion == "auto" else Emotion(look.emotion)
    return SynthesisOptions(**chosen)


@contextmanager
def _timed(steps: dict[str, float], step: str) -> Iterator[None]:
    began = time.perf_counter()
    yield
    steps[step] = time.perf_counter() - began
