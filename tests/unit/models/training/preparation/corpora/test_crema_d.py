from pathlib import Path

import pytest

from media.emotions import Emotion
from models.training.preparation.corpora.crema_d import read_crema_d
from models.training.preparation.corpora.takes import Intensity, LayoutError
from tests.unit.models.training.preparation.trees import lay_out


def test_a_take_is_described_by_its_file_name(tmp_path: Path) -> None:
    video, sound = "VideoFlash/1001_IEO_ANG_HI.flv", "AudioWAV/1001_IEO_ANG_HI.wav"
    (take,) = read_crema_d(lay_out(tmp_path, video, sound)).takes
    assert take.name == "1001_IEO_ANG_HI"
    assert (take.person, take.sentence) == ("crema-d_1001", "IEO")
    assert (take.emotion, take.intensity) == (Emotion.ANGER, Intensity.STRONG)
    assert (take.video, take.sound) == (tmp_path / video, tmp_path / sound)


@pytest.mark.parametrize(
    ("level", "intensity"),
    [("LO", "weak"), ("MD", "normal"), ("HI", "strong"), ("XX", "normal"), ("X", "normal")],
)
def test_levels_are_intensities(tmp_path: Path, level: str, intensity: str) -> None:
    (take,) = read_crema_d(lay_out(tmp_path, f"VideoFlash/1040_ITH_SAD_{level}.flv")).takes
    assert take.intensity == intensity


def test_mp4_is_preferred_to_flash(tmp_path: Path) -> None:
    name = "1002_DFA_HAP_XX"
    lay_out(tmp_path, f"VideoFlash/{name}.flv", f"VideoMP4/{name}.mp4")
    (take,) = read_crema_d(tmp_path).takes
    assert take.video.suffix == ".mp4"


@pytest.mark.parametrize("name", ["1007_ITH_NEU_XX", "1064_IEO_DIS_MD"])
def test_takes_published_damaged_are_known(tmp_path: Path, name: str) -> None:
    takes = read_crema_d(
        lay_out(tmp_path, f"VideoFlash/{name}.flv", "VideoFlash/1001_DFA_FEA_XX.flv")
    ).takes
    assert {take.name: bool(take.flaw) for take in takes} == {name: True, "1001_DFA_FEA_XX": False}


@pytest.mark.parametrize("file", ["AudioWAV/1001_IEO_ANG_HI.wav", "VideoFlash/1001_IEO.flv"])
def test_another_layout_is_refused(tmp_path: Path, file: str) -> None:
    with pytest.raises(LayoutError):
        read_crema_d(lay_out(tmp_path, file))
