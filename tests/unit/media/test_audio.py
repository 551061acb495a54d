import struct
import subprocess
import sys
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import cast

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from media.audio import SAMPLE_RATE, num_frames, read_speech, read_waveform
from media.errors import (
    AudioSilent,
    AudioTooLong,
    AudioTooShort,
    AudioUnreadable,
    NoAudioStream,
)
from media.notices import Notice
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


@cache
def four_seconds(container: str, codec: str) -> bytes:
    return recording(babble(4.0, 48_000), container, codec, sample_rate=48_000)


@pytest.mark.parametrize("keep", [0.3, 0.6, 0.9])
@pytest.mark.parametrize(
    ("container", "codec"),
    [("mp3", "libmp3lame"), ("ogg", "libopus"), ("flac", "flac"), ("webm", "libopus")],
)
def test_a_truncated_stream_is_used_as_far_as_it_goes(
    container: str, codec: str, keep: float
) -> None:
    file = four_seconds(container, codec)
    waveform = read_waveform(file[: int(len(file) * keep)])
    assert 0.2 < len(waveform) / SAMPLE_RATE < 4.0
    assert similarity(waveform, babble(len(waveform) / SAMPLE_RATE)) > 0.98


@pytest.mark.parametrize("claimed", [0, 100_000_000, 0xFFFFFFFF])
def test_a_wav_with_a_wrong_header_is_judged_by_its_samples(claimed: int) -> None:
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
def test_a_file_that_is_not_a_recording_is_unreadable(file: bytes) -> None:
    with pytest.raises(
        AudioUnreadable, match=r"WAV, MP3, AAC, FLAC, OGG, M4A, MP4, MOV or WEBM file"
    ):
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


SPOKEN = babble(1.0)
SILENT = np.zeros_like(SPOKEN)


def wav_of(*channels: NDArray[np.float32], chunks: bytes = b"", size: int | None = None) -> bytes:
    """Write a 16 kHz WAV of any number of channels without a channel mask."""
    data = (np.stack(channels, axis=1) * 32_767).astype("<i2").tobytes()
    count = len(channels)
    fmt = struct.pack("<HHIIHH", 1, count, 16_000, 32_000 * count, 2 * count, 16)
    size = len(data) if size is None else size
    body = b"fmt " + struct.pack("<I", len(fmt)) + fmt + b"data" + struct.pack("<I", size)
    return b"RIFF" + struct.pack("<I", 0xFFFFFFFF) + b"WAVE" + body + data + chunks


@pytest.mark.parametrize("count", [2, 3, 5, 6, 8, 9, 18, 64])
@pytest.mark.parametrize("place", ["first", "fourth", "last"])
def test_speech_on_any_channel_is_used(count: int, place: str) -> None:
    at = {"first": 0, "fourth": min(3, count - 1), "last": count - 1}[place]
    spoken, silent = SPOKEN[:6_400], SILENT[:6_400]
    speech = read_speech(wav_of(*(spoken if i == at else silent for i in range(count))))
    np.testing.assert_allclose(speech.waveform, spoken, atol=1e-3)
    assert speech.notices == (Notice.ONE_CHANNEL_USED,)


def test_too_many_channels_are_reported() -> None:
    with pytest.raises(AudioUnreadable, match="has 65 channels; up to 64"):
        read_waveform(wav_of(*[SPOKEN[:6_400]] * 65))


@pytest.mark.parametrize("other", [-1.0, -0.97])
def test_opposite_channels_do_not_cancel_each_other(other: float) -> None:
    speech = read_speech(wav_of(SPOKEN, other * SPOKEN))
    np.testing.assert_allclose(speech.waveform, SPOKEN, atol=1e-3)
    assert speech.notices == (Notice.ONE_CHANNEL_USED,)


def test_audible_channels_are_averaged_without_a_notice() -> None:
    hum = (0.2 * np.sin(np.arange(16_000) / 40)).astype(np.float32)
    speech = read_speech(wav_of(SPOKEN, hum))
    np.testing.assert_allclose(speech.waveform, (SPOKEN + hum) / 2, atol=1e-3)
    assert speech.notices == ()


def test_the_low_frequency_channel_is_left_out_if_others_speak() -> None:
    hum = (0.5 * np.sin(np.arange(16_000) / 80)).astype(np.float32)
    speech = read_speech(wav_of(SPOKEN, SPOKEN, SPOKEN, hum, SPOKEN, SPOKEN))
    np.testing.assert_allclose(speech.waveform, SPOKEN, atol=1e-3)


def tracks(*given: tuple[str, NDArray[np.float32]]) -> bytes:
    """Write a MOV with several tracks, each a codec and a waveform at 48 kHz."""
    file = BytesIO()
    with av.open(file, "w", format="mov") as output:
        streams = [
            cast(av.AudioStream, output.add_stream(codec, rate=48_000, layout="mono"))
            for codec, _ in given
        ]
        for stream, (_, waveform) in zip(streams, given, strict=True):
            frame = av.AudioFrame.from_ndarray(waveform[None], format="fltp", layout="mono")
            frame.sample_rate = 48_000
            output.mux([*stream.encode(frame), *stream.encode(None)])
    return file.getvalue()


@pytest.mark.parametrize(
    "first", [("aac", np.zeros(48_000, np.float32)), ("ac3", babble(1.0, 48_000))]
)
def test_the_first_audible_track_is_used(first: tuple[str, NDArray[np.float32]]) -> None:
    speech = read_speech(tracks(first, ("aac", babble(1.0, 48_000))))
    assert similarity(speech.waveform, SPOKEN) > 0.98
    assert speech.notices == (Notice.ANOTHER_TRACK_USED,)


def test_of_two_good_tracks_the_first_is_used_without_a_notice() -> None:
    file = tracks(("aac", babble(1.0, 48_000)), ("aac", np.zeros(48_000, np.float32)))
    speech = read_speech(file)
    assert similarity(speech.waveform, SPOKEN) > 0.98
    assert speech.notices == ()


def test_a_mov_with_a_channel_order_of_its_own_is_read() -> None:
    # In a process of its own: the order, right before left, would abort it.
    file = Path(__file__).with_name("swapped_channels.mov")
    program = f"from media.audio import *; print(len(read_waveform(Path({str(file)!r}))))"
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert int(told.stdout) == SAMPLE_RATE


ADTS = recording(babble(2.0, 44_100), "adts", "aac", sample_rate=44_100)
MP3 = recording(babble(2.0, 44_100), "mp3", "libmp3lame", sample_rate=44_100)
FLAC = recording(babble(2.0, 44_100), "flac", "flac", sample_rate=44_100)
M4A = recording(babble(2.0, 44_100), "mov", "aac", sample_rate=44_100)
ID3 = b"ID3\x04\0\0\0\0\x02\0" + bytes(256)


@pytest.mark.parametrize(
    "file",
    [
        ADTS,
        ID3 + ADTS,
        ID3 + FLAC,
        ID3 + ID3 + MP3,
        bytes(3_000) + MP3,
        MP3[len(MP3) // 4 + 100 :],
        M4A.replace(b"ftyp", b"free", 1),
        M4A.replace(b"ftyp", b"wide", 1),
    ],
    ids=["adts", "id3 adts", "id3 flac", "id3 id3 mp3", "zeros mp3", "cut mp3", "free", "wide"],
)
def test_a_recording_may_have_an_unusual_beginning(file: bytes) -> None:
    waveform = read_waveform(file)
    assert len(waveform) > SAMPLE_RATE
    assert similarity(waveform, babble(2.0)) > 0.85


@pytest.mark.parametrize("length", range(36, 44))
def test_a_wav_that_ends_within_its_header_is_refused(length: int) -> None:
    with pytest.raises(AudioUnreadable):
        read_waveform(wav_of(SPOKEN)[:length])


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF])
def test_chunks_behind_a_streamed_wav_are_not_heard(size: int) -> None:
    chunks = b"LIST\x0c\0\0\0INFOISFT\0\0\0\0" + b"id3 \x05\0\0\0\xff\x7f\xff\x7f\xff\0"
    waveform = read_waveform(wav_of(SPOKEN, chunks=chunks, size=size))
    np.testing.assert_allclose(waveform, SPOKEN, atol=1e-3)


def test_a_chain_of_different_ogg_streams_is_read_as_one() -> None:
    mono = recording(babble(1.0, 48_000), "ogg", "libopus", sample_rate=48_000)
    both = np.stack([babble(1.0, 44_100)] * 2)
    stereo = recording(both, "ogg", "vorbis", sample_rate=44_100, layout="stereo")
    assert len(read_waveform(mono + stereo)) == pytest.approx(2 * SAMPLE_RATE, abs=1_000)


@pytest.mark.parametrize(
    ("file", "words"),
    [
        (b"#!AMR\n" + bytes(99), "is an AMR recording, which is not supported"),
        (recording(babble(1.0), "aiff", "pcm_s16be"), "is an AIFF recording"),
        (recording(babble(1.0), "mpegts", "aac"), "is an MPEG-TS video"),
        (recording(babble(1.0), "w64", "pcm_s16le"), "is a Wave64 recording"),
        (b"0&\xb2u\x8ef\xcf\x11" + bytes(99), "is a WMA or WMV file"),
        (recording(babble(1.0), "wav", "g722"), "uses the codec G.722"),
        (recording(babble(1.0, 48_000), "mov", "ac3", sample_rate=48_000), "the codec AC-3"),
        (M4A.replace(b"mp4a", b"apac").replace(b"esds", b"free"), r"the codec APAC \(Apple"),
        (b"<html><body>Sign in</body></html>", "is a web page"),
        (b"\x1fC\xb6u" + bytes(99), "has no beginning"),
        (b"\0\0\0\x10moof" + bytes(99), "has no beginning"),
        (b"OggS\0\0" + bytes(99), "has no beginning"),
        (FLAC[:20], "is damaged"),
    ],
)
def test_messages_are_our_own_sentences(file: bytes, words: str) -> None:
    with pytest.raises(AudioUnreadable, match=words):
        read_waveform(file)
