"""A validation set of a few short synthetic clips, and a pipeline of tiny networks."""

import csv
import json
import wave
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from media.video import encode_video
from models.corpus.audio_lag import LAGS_FILE
from models.corpus.clips import LANDMARK_SCALE
from models.landmarks_to_video.painter_network import PainterConfig
from models.landmarks_to_video.visual_translator import TranslatorConfig, VisualTranslator
from models.pipeline import TalkingFacePipeline
from tests.fakes.detector import FakeDetector
from tests.media import babble
from tests.unit.models.faces import face_picture
from tests.unit.models.tiny_generator import tiny_generator
from tests.unit.models.typical_face import pixel_face

FRAMES = 10
VALIDATION_SETS = ("lrcar", "grid", "mead")
FINE_SETS = ("mead",)
"""Sets whose clips have 512 px."""
TINY = PainterConfig((8, 8, 8), (4, 4, 4), (1, 1, 1), 8)


def talking_face(frames: int = FRAMES) -> NDArray[np.float32]:
    """Return landmarks `[T, 79, 2]` px of a mouth that opens and closes, on a swaying head."""
    time = np.arange(frames)
    faces = [pixel_face(0.1 - 0.1 * np.cos(0.7 * t), roll=0.02 * np.sin(0.3 * t)) for t in time]
    return np.stack(faces)


def write_data(data: Path, cache: Path) -> None:
    """Write one clip of each validation set, one training clip, two recordings, and the lags."""
    (data / "landmarks").mkdir(parents=True)
    tracked = np.round(talking_face() * LANDMARK_SCALE).astype(np.int16)
    np.savez(data / "landmarks" / "lrcar_train.npz", trained=tracked)
    for name in VALIDATION_SETS:
        arrays: dict[str, Any] = {f"{name}_0": tracked}
        np.savez(data / "landmarks" / f"{name}_val.npz", **arrays)
        folder = data / "clips" / name / "val"
        folder.mkdir(parents=True)
        frames = np.stack([face_picture(seed) for seed in range(FRAMES)])
        if name in FINE_SETS:
            frames = frames.repeat(2, axis=1).repeat(2, axis=2)
        encode_video(folder / f"{name}_0.mp4", [frames], babble(FRAMES / 25))
    rows = [f"clips/{name}/val/{name}_0.mp4,{name},val,{name}" for name in VALIDATION_SETS]
    trained = "clips/lrcar/train/trained.mp4,lrcar,train,presenter"
    (data / "manifest.csv").write_text("\n".join(["file,set,split,identity", trained, *rows]))
    cache.mkdir()
    (cache / LAGS_FILE).write_text(json.dumps({"lrcar_0": 2, "grid_0": 0}))
    write_recordings(data / "speech")


def write_recordings(folder: Path) -> None:
    """Write two recordings of a held-out speaker and one of a training speaker."""
    folder.mkdir()
    samples = (babble(0.8) * 32_000).astype(np.int16)
    rows = [("a", "ravdess_05", "fear"), ("b", "ravdess_06", "calm"), ("c", "emodb_03", "anger")]
    with (folder / "labels.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "corpus", "speaker", "emotion", "intensity"])
        for name, speaker, emotion in rows:
            writer.writerow([f"{name}.wav", "made up", speaker, emotion, "normal"])
            with wave.open(str(folder / f"{name}.wav"), "wb") as sound:
                sound.setparams((1, 2, 16_000, 0, "NONE", ""))
                sound.writeframes(samples.tobytes())


class NothingCovers:
    """Sees nothing before any face."""

    def check(self, crop: NDArray[np.uint8]) -> None:
        pass


def tiny_pipeline() -> TalkingFacePipeline:
    """Return both stages with tiny random networks."""
    torch.manual_seed(0)
    translator = VisualTranslator(TranslatorConfig(mouth=TINY, eyes=TINY, motion_width=8)).eval()
    return TalkingFacePipeline(
        FakeDetector(pixel_face(), track=list(talking_face(100))),
        tiny_generator(),
        translator,
        NothingCovers(),  # type: ignore[arg-type]
    )
