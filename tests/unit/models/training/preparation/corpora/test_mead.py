from pathlib import Path

import pytest

from media.emotions import EMOTIONS, Emotion
from models.training.preparation.corpora import mead
from models.training.preparation.corpora.mead import read_mead
from models.training.preparation.corpora.takes import Intensity, LayoutError
from tests.unit.models.training.preparation.trees import lay_out


def test_a_take_is_described_by_its_path(tmp_path: Path) -> None:
    video, sound = "W009/video/front/sad/level_2/014.mp4", "W009/audio/sad/level_2/014.m4a"
    (take,) = read_mead(lay_out(tmp_path, video, sound)).takes
    assert take.name == "W009_sad_2_014"
    assert (take.person, take.sentence) == ("mead_W009", "014")
    assert (take.emotion, take.intensity) == (Emotion.SADNESS, Intensity.NORMAL)
    assert (take.video, take.sound) == (tmp_path / video, tmp_path / sound)


def test_only_the_frontal_view_is_read(tmp_path: Path) -> None:
    views = (f"M003/video/{view}/happy/level_1/001.mp4" for view in ("front", "left_30", "top"))
    (take,) = read_mead(lay_out(tmp_path, *views)).takes
    assert "front" in take.video.parts


def test_a_video_without_its_sound_file_speaks_for_itself(tmp_path: Path) -> None:
    (take,) = read_mead(lay_out(tmp_path, "M003/video/front/fear/level_3/001.mp4")).takes
    assert take.sound == take.video


def test_every_emotion_has_a_folder() -> None:
    assert set(mead.EMOTIONS.values()) == set(EMOTIONS)


def test_files_left_by_the_macos_finder_are_skipped(tmp_path: Path) -> None:
    tree = [f"M003/video/front/happy/level_1/{name}.mp4" for name in ("001", "._001")]
    assert len(read_mead(lay_out(tmp_path, *tree)).takes) == 1


@pytest.mark.parametrize(
    "file", ["M003/front/001.mp4", "M003/video/front/bored/level_1/001.mp4", "a.mp4"]
)
def test_another_layout_is_refused(tmp_path: Path, file: str) -> None:
    with pytest.raises(LayoutError):
        read_mead(lay_out(tmp_path, file))
