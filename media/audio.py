"""Reads speech from recordings: any common format to one waveform (mono float32, 16 kHz)."""

from collections.abc import Iterable, Iterator
from io import BytesIO
from itertools import chain, groupby
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from numpy.typing import NDArray

from media.errors import (
    AudioSilent,
    AudioTooLong,
    AudioTooShort,
    AudioUnreadable,
    NoAudioStream,
)

SAMPLE_RATE = 16_000
FRAME_RATE = 25
"""Video frames per second."""
SAMPLES_PER_FRAME = SAMPLE_RATE // FRAME_RATE
MIN_DURATION = 0.2
"""Seconds; about the length of a syllable."""
SILENCE_PEAK = 1e-3
"""Peak (of full scale 1.0) below which a recording counts as silent: -60 dB."""

ACCEPTED_AUDIO = "a WAV, MP3, FLAC, OGG, M4A, MP4 or WEBM file"

# (offset, magic bytes, FFmpeg's demuxer). An upload's name and declared type are ignored.
_SIGNATURES = (
    (8, b"WAVE", "wav"),
    (0, b"fLaC", "flac"),
    (0, b"OggS", "ogg"),
    (4, b"ftyp", "mov"),
    (0, b"\x1aE\xdf\xa3", "matroska"),
    (0, b"ID3", "mp3"),
    *((0, bytes((0xFF, second)), "mp3") for second in (0xFB, 0xFA, 0xF3, 0xF2, 0xE3, 0xE2)),
)
_DECODERS = (
    *("aac", "alac", "flac", "mp3", "mp3float", "opus", "libopus", "vorbis", "libvorbis"),
    *("adpcm_ima_wav", "adpcm_ms", "pcm_alaw", "pcm_mulaw", "pcm_u8", "pcm_s16be", "pcm_s16le"),
    *("pcm_s24be", "pcm_s24le", "pcm_s32be", "pcm_s32le", "pcm_f32be", "pcm_f32le"),
    *("pcm_f64be", "pcm_f64le"),
)
# Outside this range, the header is damaged or meant to inflate the resampled sound.
_SOURCE_RATES = range(4_000, 384_001)


def read_waveform(source: bytes | Path, max_duration: float = 300.0) -> NDArray[np.float32]:
    """Decode a recording to a waveform `[N]`, mono float32 in [-1, 1] at 16 kHz.

    Of a video, the audio track is used. A truncated file is judged by the part that can be decoded,
    and damaged packets are skipped as long as most are intact. Decoding stops soon after
    `max_duration` seconds. A recording louder than full scale is scaled down as a whole, not
    clipped.

    Args:
        source: the file's content, or the path of a file named by this program.
        max_duration: seconds.

    Raises:
        AudioUnreadable: not an accepted format, or too damaged to decode.
        NoAudioStream: a video without audio.
        AudioTooShort, AudioTooLong, AudioSilent: decoded, but not usable.
    """
    try:
        with _open_container(source) as container:
            waveform = _join(_decode(container), max_duration)
    except MemoryError:
        raise
    except av.FFmpegError as error:
        raise AudioUnreadable(
            f"The recording is damaged and could not be decoded ({error.strerror}); accepted: "
            f"{ACCEPTED_AUDIO}."
        ) from error
    _check(waveform)
    loudest: np.float32 = np.abs(waveform).max()
    return waveform / max(loudest, np.float32(1))


def num_frames(waveform: NDArray[np.float32]) -> int:
    """Return the number of video frames at 25 fps for a waveform `[N]`, at least one."""
    return max(1, round(len(waveform) / SAMPLES_PER_FRAME))


def _open_container(source: bytes | Path) -> InputContainer:
    """Open with the one demuxer given by the magic bytes, so that no other format is probed."""
    demuxer = _sniff(source)
    options = {
        "protocol_whitelist": "file",
        "format_whitelist": demuxer,
        "codec_whitelist": ",".join(_DECODERS),
    }
    # A BytesIO has no name, and a path gets a protocol: FFmpeg opens whatever a name suggests.
    file = BytesIO(source) if isinstance(source, bytes) else f"file:{source}"
    return av.open(file, mode="r", format=demuxer, options=options, metadata_errors="replace")


def _sniff(source: bytes | Path) -> str:
    if isinstance(source, bytes):
        head = source[:16]
    else:
        with source.open("rb") as file:
            head = file.read(16)
    for offset, magic, demuxer in _SIGNATURES:
        if head[offset:].startswith(magic):
            return demuxer
    given = "is empty" if not head else "has an unsupported format, whatever its name says"
    raise AudioUnreadable(f"The recording {given}; accepted: {ACCEPTED_AUDIO}.")


def _decode(container: InputContainer) -> Iterator[av.AudioFrame]:
    """Yield the first audio stream's decoded frames, skipping damaged packets."""
    if not container.streams.audio:
        raise NoAudioStream(f"The file contains no audio; accepted: {ACCEPTED_AUDIO} with speech.")
    stream = container.streams.audio[0]
    if stream.codec_context is None or stream.codec_context.name not in _DECODERS:
        raise AudioUnreadable(
            "The recording uses an unsupported codec; accepted: AAC, ALAC, FLAC, MP3, Opus, "
            "Vorbis and PCM."
        )
    # The sandbox for untrusted files does not allow threads.
    stream.codec_context.thread_count = 1
    whole = damaged = 0
    for packet in container.demux(stream):
        try:
            frames = packet.decode()
        except av.InvalidDataError:
            damaged += 1
            continue
        whole += bool(frames)
        yield from frames
    if damaged > whole:
        raise AudioUnreadable(
            f"{damaged} of the recording's {damaged + whole} packets are damaged; accepted: "
            f"an intact {ACCEPTED_AUDIO.removeprefix('a ')}."
        )


def _join(frames: Iterable[av.AudioFrame], max_duration: float) -> NDArray[np.float32]:
    pieces: list[NDArray[np.float32]] = []
    room = round(max_duration * SAMPLE_RATE)
    for piece in _resample(frames):
        pieces.append(piece)
        room -= len(piece)
        if room < 0:
            raise AudioTooLong(
                f"The recording is longer than {max_duration:g} s; {MIN_DURATION:g} to "
                f"{max_duration:g} s are accepted."
            )
    return np.concatenate(pieces) if pieces else np.zeros(0, np.float32)


def _resample(frames: Iterable[av.AudioFrame]) -> Iterator[NDArray[np.float32]]:
    """Convert frames of any rate and layout, even if they change, into 16 kHz mono chunks."""
    for setup, run in groupby(frames, lambda f: (f.sample_rate, f.layout.name, f.format.name)):
        if setup[0] not in _SOURCE_RATES:
            raise AudioUnreadable(
                f"The recording has {setup[0]} samples per second; {_SOURCE_RATES[0]} to "
                f"{_SOURCE_RATES[-1]} are accepted."
            )
        resampler = av.AudioResampler(format="flt", layout="mono", rate=SAMPLE_RATE)
        for frame in chain(run, (None,)):
            if frame is not None:
                # Timestamps in damaged files jump; the resampler would fill the gaps with silence.
                frame.pts = None
            yield from (piece.to_ndarray()[0] for piece in resampler.resample(frame))


def _check(waveform: NDArray[np.float32]) -> None:
    duration = len(waveform) / SAMPLE_RATE
    if duration < MIN_DURATION:
        raise AudioTooShort(
            f"The recording is {duration:.2f} s long; at least {MIN_DURATION:g} s are required."
        )
    if not np.isfinite(waveform).all():
        raise AudioUnreadable("The recording contains samples that are not finite numbers.")
    peak = np.abs(waveform - waveform.mean()).max()
    if peak < SILENCE_PEAK:
        raise AudioSilent(
            f"The recording is silent (its peak is {peak:.4f} of full scale); a peak above "
            f"{SILENCE_PEAK:g} is required."
        )
