"""Packing the training data to be carried to a GPU."""

from pathlib import Path

import av
import numpy as np
import pytest

from media.audio import read_waveform
from models.corpus.manifest import clip_rows
from models.training import drill
from models.training.stage_two.face_frames import count_frames
from tests.integration.models.tiny_data import write_training_data

SMALL = 0.4
"""MiB of a part."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drill") / "data"
    write_training_data(folder)
    return folder


@pytest.fixture
def joined(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(drill, "SEEN_OF_EACH", {"grid": 2})
    drill.pack(data, tmp_path / "parts", SMALL)
    drill.join(tmp_path / "parts", tmp_path / "joined")
    return tmp_path / "joined"


def test_parts_have_at_most_the_requested_size(joined: Path) -> None:
    parts = list((joined.parent / "parts").iterdir())
    assert len(parts) > 1
    for part in parts:
        files = (path for path in part.rglob("*") if path.name != "manifest.csv")
        assert sum(path.stat().st_size for path in files if path.is_file()) <= SMALL * 2**20


def test_clips_of_one_stage_keep_their_sound_alone(data: Path, joined: Path) -> None:
    heard, seen = (f"clips/grid/train/{name}.mp4" for name in ("ann", "bob"))
    assert (joined / seen).read_bytes() == (data / seen).read_bytes()
    with av.open(str(joined / heard)) as clip:
        assert not clip.streams.video
    np.testing.assert_array_equal(read_waveform(joined / heard), read_waveform(data / heard))


def test_no_picture_is_expected_where_none_was_packed(data: Path, joined: Path) -> None:
    assert {row["identity"] for row in clip_rows(joined, "train")} == {"ann", "bob"}
    assert not list(clip_rows(joined, "val"))
    assert 0 < count_frames(joined, 1) == count_frames(data, 1) / 2


def test_a_file_larger_than_a_part_is_an_error(data: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="larger than a part"):
        drill.pack(data, tmp_path / "parts", 0.001)
