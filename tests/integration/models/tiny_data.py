"""A data folder as described in docs/training.md, with noise for faces and buzzing for voices."""

import csv
import wave
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from media.video import encode_video
from models.corpus.clips import LANDMARK_SCALE
from models.training.__main__ import Recipe, train_all
from models.training.common.compute import open_compute
from models.training.stage_one import fit_resting_face, train
from tests.media import babble
from tests.unit.models.evaluation.tiny_evaluation import talking_face
from tests.unit.models.faces import face_picture
from tests.unit.models.training.tiny_speech import made_up_expressions

FRAMES = 64
CLIPS = {"train": ("ann", "bob"), "val": ("eve",)}
"""People, one clip each."""
ACTED = ("anger", "fear", "happiness", "neutral", "sadness", "surprise")
MANIFEST = ("file", "set", "split", "identity", "emotion", "audio")
LABELS = ("file", "corpus", "speaker", "emotion", "intensity", "split")


def write_training_data(data: Path) -> None:
    """Write clips of the set "grid", labelled recordings, and a synthetic morphable face."""
    (data / "landmarks").mkdir(parents=True)
    made_up_expressions(data)
    (data / "face.npz").rename(data / "landmarks" / "ict68.npz")
    tracked = np.round(talking_face(FRAMES) * LANDMARK_SCALE).astype(np.int16)
    frames = np.stack([face_picture(seed % 4) for seed in range(FRAMES)])
    rows = []
    for split, people in CLIPS.items():
        arrays: dict[str, Any] = dict.fromkeys(people, tracked)
        np.savez(data / "landmarks" / f"grid_{split}.npz", **arrays)
        for person in people:
            clip = data / "clips" / "grid" / split / f"{person}.mp4"
            clip.parent.mkdir(parents=True, exist_ok=True)
            encode_video(clip, [frames], babble(FRAMES / 25))
            rows.append((clip.relative_to(data).as_posix(), "grid", split, person, "", "1"))
    _write_table(data / "manifest.csv", MANIFEST, rows)
    _write_recordings(data / "speech")


def train_quickly(recipe: Recipe) -> None:
    """Run a recipe with fewer synthetic inputs: resting faces, silence."""
    with pytest.MonkeyPatch.context() as patch, open_compute("cpu") as compute:
        patch.setattr(fit_resting_face, "PAIRS", 300)
        patch.setattr(train, "SILENCES", 2)
        train_all(recipe, compute)


def _write_recordings(folder: Path) -> None:
    folder.mkdir()
    samples = (babble(1.0) * 32_000).astype(np.int16).tobytes()
    rows = []
    for speaker, split in (("dan", "train"), ("zoe", "val")):
        for emotion in ACTED:
            name = f"{speaker}_{emotion}.wav"
            with wave.open(str(folder / name), "wb") as sound:
                sound.setparams((1, 2, 16_000, 0, "NONE", ""))
                sound.writeframes(samples)
            rows.append((name, "made up", speaker, emotion, "normal", split))
    _write_table(folder / "labels.csv", LABELS, rows)


def _write_table(path: Path, columns: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([columns, *rows])
