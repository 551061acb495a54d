import struct
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from media.audio import SAMPLE_RATE, num_frames, read_waveform
from media.errors import (
    AudioSilent,
    AudioTooLong,
    AudioTooShort,
    AudioUnreadable,
    NoAudioStream,
)
from tests.media import babble, recording, video

EXAMPLE = Path(__file__).parents[3] / "examples" / "speech.wav"


def similarity(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """Return the cosine of two waveforms at their best shift; codecs delay sound."""
    size = 2 * max(len(a), len(b))
    products = np.fft.irfft(np.fft.rfft(a, size) * np.fft.rfft(b, size).conj())
    return float(products.max() / np.linalg.norm(a) / np.linalg.norm(b))


def wav(
    samples: NDArray[np.generic], format_tag: int = 1, *, data_size: int | None = None
) -> bytes:
    """Write a 16 kHz mono WAV by hand, so that its header may be wrong."""
    data = samples.tobytes()
    width = samples.dtype.itemsize
    fmt = struct.pack("<HHIIHH", format_tag, 1, 16_000, 16_000 * width, width, 8 * width)
    size = len(data) if data_size is None else data_size
    body = b"fmt " + struct.pack("<I", len(fmt)) + fmt + b"data" + struct.pack("<I", size) + data
    return b"RIFF" + struct.pack("<I", (4 + len(body)) & 0xFFFFFFFF) + b"WAVE" + body


@pytest.mark.parametrize(
    ("container", "codec", "sample_rate"),
    [
        ("wav", "pcm_s16le", 16_000),
        ("wav", "pcm_f32le", 44_100),
        ("wav", "pcm_mulaw", 8_000),
        ("mp3", "libmp3lame", 44_100),
        ("mp3", "libmp3lame", 22_050),
        ("flac", "flac", 48_000),
        ("ogg", "libopus", 48_000),
        ("ogg", "vorbis", 44_100),
        ("ipod", "aac", 44_100),
        ("ipod", "alac", 44_100),
        ("webm", "libopus", 48_000),
    ],
)
def test_every_accepted_format_gives_the_spoken_waveform(
    container: str, codec: str, sample_rate: int
) -> None:
    stereo = codec == "vorbis"
    speech = babble(1.5, sample_rate)
    planes = np.stack([speech, speech]) if stereo else speech
    file = recording(
        planes, container, codec, sample_rate=sample_rate, layout="stereo" if stereo else "mono"
    )
    waveform = read_waveform(file)
    assert waveform.dtype == np.float32
    assert len(waveform) == pytest.approx(1.5 * SAMPLE_RATE, abs=0.08 * SAMPLE_RATE)
    assert similarity(waveform, babble(1.5)) > 0.98


def test_bytes_and_a_path_give_the_same_waveform() -> None:
    np.testing.assert_array_equal(read_waveform(EXAMPLE), read_waveform(EXAMPLE.read_bytes()))


def test_a_path_that_looks_like_an_address_is_read_as_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("http:").mkdir()
    Path("http:/speech.m3u8").write_bytes(EXAMPLE.read_bytes())
    assert len(read_waveform(Path("http://speech.m3u8"))) == len(read_waveform(EXAMPLE))


def test_stereo_is_mixed_down_and_stays_within_full_scale() -> None:
    loud = np.stack([babble(1.0), babble(1.0)])
    loud *= 0.99 / np.abs(loud).max()
    waveform = read_waveform(recording(loud, "wav", "pcm_f32le", layout="stereo"))
    assert np.abs(waveform).max() <= 1
    assert similarity(waveform, babble(1.0)) > 0.999


def test_a_float_recording_beyond_full_scale_is_turned_down_not_clipped() -> None:
    waveform = read_waveform(wav(babble(1.0) * 100, format_tag=3))
    assert np.abs(waveform).max() == pytest.approx(1)
    assert similarity(waveform, babble(1.0)) > 0.9999


def test_the_sound_of_a_video_is_used() -> None:
    waveform = read_waveform(video(speech=babble(1.0)))
    assert similarity(waveform, babble(1.0)) > 0.98


@pytest.mark.parametrize(("container", "codec"), [("mp4", "libx264"), ("webm", "libvpx")])
def test_a_video_without_sound_has_no_audio_stream(container: str, codec: str) -> None:
    with pytest.raises(NoAudioStream, match="no audio"):
        read_waveform(video(container, codec))


@pytest.mark.parametrize("keep", [0.3, 0.6, 0.9])
@pytest.mark.parametrize(
    ("container", "codec"),
    [("mp3", "libmp3lame"), ("ogg", "libopus"), ("flac", "flac"), ("webm", "libopus")],
)
def test_a_stream_cut_short_is_used_as_far_as_it_goes(
    container: str, codec: str, keep: float
) -> None:
    file = recording(babble(8.0, 48_000), container, codec, sample_rate=48_000)
    waveform = read_waveform(file[: int(len(file) * keep)])
    assert 0.2 < len(waveform) / SAMPLE_RATE < 8.0
    assert similarity(waveform, babble(len(waveform) / SAMPLE_RATE)) > 0.98


@pytest.mark.parametrize("claimed", [0, 100_000_000, 0xFFFFFFFF])
def test_a_wav_whose_header_lies_is_judged_on_what_it_holds(claimed: int) -> None:
    samples = (babble(1.0) * 32_767).astype("<i2")
    waveform = read_waveform(wav(samples, data_size=claimed))
    assert len(waveform) == len(samples)


def test_an_mp4_without_its_index_is_unreadable() -> None:
    file = recording(babble(2.0), "ipod", "aac")
    with pytest.raises(AudioUnreadable, match="damaged"):
        read_waveform(file[: len(file) // 2])


def test_a_file_whose_packets_are_mostly_damaged_is_unreadable() -> None:
    file = bytearray(recording(babble(4.0), "ipod", "aac"))
    start, end = file.index(b"mdat") + 4, file.index(b"moov") - 4
    file[start:end] = np.random.default_rng(1).integers(0, 256, end - start, np.uint8).tobytes()
    with pytest.raises(AudioUnreadable, match="packets are damaged"):
        read_waveform(bytes(file))


@pytest.mark.parametrize(
    "file",
    [
        b"",
        b"\x00" * 4096,
        b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n",
        b"ffconcat version 1.0\nfile /etc/passwd\n",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"GIF89a" + b"\x01" * 64,
        b"RIFF\x10\x00\x00\x00AVI LIST" + b"\x00" * 64,
        b"ID3\x04\x00\x00\x00\x00\x00\x00",
        b"\x00\x00\x00\x18ftypM4A ",
        b"\xff\xfb" + b"\x00" * 512,
    ],
    ids=["empty", "zeros", "m3u8", "concat", "svg", "gif", "avi", "id3", "ftyp", "mp3-sync"],
)
def test_what_is_no_recording_is_unreadable(file: bytes) -> None:
    with pytest.raises(AudioUnreadable, match=r"WAV, MP3, FLAC, OGG, M4A, MP4 or WEBM file"):
        read_waveform(file)


def test_noise_inside_an_mp3_envelope_is_unreadable() -> None:
    noise = np.random.default_rng(7).integers(0, 255, 40_000, np.uint8).tobytes()
    with pytest.raises(AudioUnreadable):
        read_waveform(b"ID3\x04\x00\x00\x00\x00\x00\x00" + noise.replace(b"\xff", b"\x00"))


@pytest.mark.parametrize(("container", "codec"), [("wav", "pcm_s16le"), ("mp3", "libmp3lame")])
def test_flipped_bits_give_a_waveform_or_an_audio_error(container: str, codec: str) -> None:
    file = bytearray(recording(babble(1.0), container, codec))
    random = np.random.default_rng(3)
    for _ in range(40):
        damaged = file.copy()
        for position in random.integers(0, len(file), 12):
            damaged[position] ^= 1 << random.integers(8)
        try:
            waveform = read_waveform(bytes(damaged))
        except (AudioUnreadable, AudioTooShort, AudioTooLong, AudioSilent):
            continue
        assert np.isfinite(waveform).all()
        assert np.abs(waveform).max() <= 1


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_samples_that_are_not_finite_are_refused(value: float) -> None:
    samples = babble(1.0)
    samples[5000] = value
    with pytest.raises(AudioUnreadable, match="finite"):
        read_waveform(wav(samples, format_tag=3))


@pytest.mark.parametrize("seconds", [0.0, 0.1])
def test_less_than_a_syllable_is_too_short(seconds: float) -> None:
    with pytest.raises(AudioTooShort, match=rf"is {seconds:.2f} s long; at least 0.2 s"):
        read_waveform(wav((babble(seconds) * 32_767).astype("<i2")))


def test_a_recording_longer_than_the_limit_is_refused_before_it_is_all_decoded() -> None:
    with pytest.raises(AudioTooLong, match="longer than 2 s"):
        read_waveform(wav((babble(2.01) * 32_767).astype("<i2")), max_duration=2)
    assert len(read_waveform(wav((babble(2.0) * 32_767).astype("<i2")), max_duration=2)) == 32_000


@pytest.mark.parametrize("level", [0, 16, 12_000])
def test_silence_is_refused_whatever_its_offset(level: int) -> None:
    with pytest.raises(AudioSilent, match="silent"):
        read_waveform(wav(np.full(16_000, level, "<i2")))


def test_an_absurd_sample_rate_is_refused() -> None:
    file = bytearray(wav((babble(1.0) * 32_767).astype("<i2")))
    file[24:28] = struct.pack("<I", 1)
    with pytest.raises(AudioUnreadable, match="has 1 samples per second"):
        read_waveform(bytes(file))


@pytest.mark.parametrize(
    ("num_samples", "frames"), [(1, 1), (640, 1), (961, 2), (16_000, 25), (16_320, 26)]
)
def test_a_frame_lasts_forty_milliseconds(num_samples: int, frames: int) -> None:
    assert num_frames(np.zeros(num_samples, np.float32)) == frames
