import struct
from pathlib import Path
from typing import cast

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from media.audio import SAMPLE_RATE
from media.video import encode_video
from models.training.preparation.corpora.takes import Take
from models.training.preparation.footage import read_footage, read_speech
from models.training.preparation.rejection import Reason, Rejected
from tests.media import babble, recording, video

UPRIGHT = (1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)
TURNED = (0, 1 << 16, 0, -1 << 16, 0, 0, 64 << 16, 0, 1 << 30)
STEP = 4
"""Grey levels from one frame to the next."""


def footage(path: Path, rate: int, frames: int, codec: str = "libx264") -> Path:
    """Write frames that brighten by STEP each."""
    with av.open(str(path), "w") as container:
        stream = cast(av.VideoStream, container.add_stream(codec, rate=rate, pix_fmt="yuv420p"))
        stream.width = stream.height = 64
        stream.bit_rate = 4_000_000
        for index in range(frames):
            picture = np.full((64, 64, 3), 40 + STEP * index, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def shown(path: Path) -> NDArray[np.int64]:
    """Return which source frame each frame at 25 fps shows."""
    levels = np.array([frame.mean() for frame in read_footage(path)])
    return ((levels - 40) / STEP).round().astype(int)


def take(path: Path, sound: Path | None = None) -> Take:
    return Take(path.stem, "p", None, path, sound or path)


@pytest.mark.parametrize("rate", [10, 25, 30, 50])
def test_each_tick_shows_the_frame_nearest_in_time(tmp_path: Path, rate: int) -> None:
    frames = shown(footage(tmp_path / "a.mp4", rate, 30))
    times = np.arange(len(frames)) / 25
    between = times <= 29 / rate
    assert np.abs(frames / rate - times)[between].max() <= 0.5 / rate + 0.005
    assert len(frames) == pytest.approx(30 / rate * 25, abs=1)


def test_flash_video_is_read(tmp_path: Path) -> None:
    frames = shown(footage(tmp_path / "a.flv", 30, 30, codec="flv"))
    assert len(frames) == pytest.approx(25, abs=1)
    assert (np.diff(frames) >= 1).all()


def test_broken_footage_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"\x00\x00\x00\x18ftypmp42" + bytes(500))
    with pytest.raises(Rejected) as rejected:
        list(read_footage(tmp_path / "a.mp4"))
    assert rejected.value.reason is Reason.UNREADABLE


def test_footage_without_a_frame_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(Rejected) as rejected:
        list(read_footage(footage(tmp_path / "a.mkv", 25, 0)))
    assert rejected.value.reason is Reason.UNREADABLE


def test_a_recording_is_no_footage(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(recording(babble(1), "mp4", "aac"))
    assert read_speech(take(tmp_path / "a.mp4")) is not None
    with pytest.raises(Rejected) as rejected:
        list(read_footage(tmp_path / "a.mp4"))
    assert rejected.value.reason is Reason.UNREADABLE


def test_a_video_without_sound_has_no_speech(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(video())
    assert read_speech(take(tmp_path / "a.mp4")) is None


def test_silence_is_no_speech(tmp_path: Path) -> None:
    silence = np.zeros(SAMPLE_RATE, np.float32)
    (tmp_path / "a.wav").write_bytes(recording(silence, "wav", "pcm_s16le"))
    assert read_speech(take(tmp_path / "a.mp4", tmp_path / "a.wav")) is None


def test_broken_speech_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"RIFF")
    with pytest.raises(Rejected) as rejected:
        read_speech(take(tmp_path / "a.mp4", tmp_path / "a.wav"))
    assert rejected.value.reason is Reason.SOUND_UNUSABLE


def test_rotated_footage_is_turned_upright(tmp_path: Path) -> None:
    lying = np.zeros((3, 64, 96, 3), np.uint8)
    lying[:, :32, :48] = 255
    encode_video(tmp_path / "a.mp4", [lying], np.zeros(0, np.float32))
    content = (tmp_path / "a.mp4").read_bytes()
    # The display matrix in the track's header: from nothing to a quarter turn clockwise.
    start = content.index(struct.pack(">9i", *UPRIGHT), content.index(b"tkhd"))
    turned = content[:start] + struct.pack(">9i", *TURNED) + content[start + 36 :]
    (tmp_path / "b.mp4").write_bytes(turned)
    picture = next(read_footage(tmp_path / "b.mp4"))
    assert picture.shape == (96, 64, 3)
    assert picture[:48, 32:].mean() > 200
    assert picture[:48, :32].mean() < 50


@pytest.mark.parametrize("seconds", [0.48, -0.24])
def test_speech_keeps_its_start_time(tmp_path: Path, seconds: float) -> None:
    speech = babble(1.5)
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        pictures = container.add_stream("libx264", rate=25)
        pictures.width = pictures.height = 64
        sound = container.add_stream("flac", rate=SAMPLE_RATE, layout="mono", format="s16")
        grey = av.VideoFrame.from_ndarray(np.full((64, 64, 3), 128, np.uint8), format="rgb24")
        for index in range(25):
            grey.pts = index + round(max(0, -seconds) * 25)
            container.mux(pictures.encode(grey))
        samples = av.AudioFrame.from_ndarray(
            (speech * 32767).astype(np.int16)[None], format="s16", layout="mono"
        )
        samples.sample_rate = SAMPLE_RATE
        samples.pts = round(max(0, seconds) * SAMPLE_RATE)
        for packet in (*pictures.encode(None), *sound.encode(samples), *sound.encode(None)):
            container.mux(packet)
    read = read_speech(take(path))
    assert read is not None
    begin = round(seconds * SAMPLE_RATE)
    expected = np.pad(speech, (begin, 0)) if begin > 0 else speech[-begin:]
    np.testing.assert_allclose(read, expected, atol=1e-3)
