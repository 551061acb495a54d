import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from media.emotions import Emotion
from models.corpus.recordings import Recording
from models.speech_to_landmarks.action_unit_flow import PERFORMED
from models.training.stage_one.action_units import FRAMES_FILE, MEANS_FILE, RECORDED
from models.training.stage_one.own_faces import read_own_units, with_own_faces
from tests.unit.models.training.tiny_speech import emotional_clips

NEUTRAL, CALM, ANGRY, MOVING = (
    "03-01-01-01-01-01-03",
    "03-01-02-01-01-01-03",
    "03-01-05-02-01-01-03",
    "03-01-05-02-02-01-03",
)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Return a data folder in which AU04 of one actor is known, of one take frame by frame."""
    (tmp_path / MEANS_FILE).parent.mkdir()
    levels = {NEUTRAL: 1.0, CALM: 5.0, ANGRY: 3.0, MOVING: 4.0}
    with (tmp_path / MEANS_FILE).open("w", newline="") as file:
        writer = csv.DictWriter(file, ["clip", "actor", "emotion", *RECORDED], restval=0.0)
        writer.writeheader()
        for name, level in levels.items():
            emotion = int(name.split("-")[2])
            writer.writerow({"clip": name, "actor": 3, "emotion": emotion, "AU04": level})
    frames = np.zeros((60, len(RECORDED)), np.float32)
    frames[:, RECORDED.index("AU04")] = np.linspace(0.0, 2.0, 60)
    by_name: dict[str, Any] = {MOVING: frames}
    np.savez(tmp_path / FRAMES_FILE, **by_name)
    return tmp_path


def test_a_level_is_above_the_actors_own_neutral(data: Path) -> None:
    units = read_own_units(data)
    brow = PERFORMED.index("AU04")
    assert units[NEUTRAL].abs().max() == 0.0
    assert units[ANGRY].shape == (1, len(PERFORMED))
    assert units[ANGRY][0, brow] == 2.0


def test_where_frames_are_known_the_face_moves_about_its_level(data: Path) -> None:
    brow = read_own_units(data)[MOVING][:, PERFORMED.index("AU04")]
    assert float(brow.mean()) == pytest.approx(3.0, abs=1e-3)
    assert float(brow[-1] - brow[0]) == pytest.approx(2.0, abs=0.1)


def test_data_without_action_units_pair_nothing(tmp_path: Path) -> None:
    assert read_own_units(tmp_path) == {}


def test_a_face_is_as_long_as_its_clip_and_clips_of_unknown_faces_stay(data: Path) -> None:
    clips = emotional_clips(frames=30)[:2]
    known, unknown = (
        Recording(Path(f"{name}.flac"), "actor", Emotion.ANGER, 1.0) for name in (MOVING, "a01")
    )
    basis = torch.zeros(len(PERFORMED), 79, 2)
    basis[PERFORMED.index("AU04"), 21, 1] = 0.1
    shown, as_it_was = with_own_faces(clips, [known, unknown], read_own_units(data), basis)
    assert as_it_was is clips[1]
    assert shown.face is not None
    assert shown.face.shape == (30, 79, 2)
    assert float(shown.face[:, 21, 1].float().mean()) == pytest.approx(0.3, abs=1e-3)
    assert shown.face[:, 20].abs().max() == 0.0
