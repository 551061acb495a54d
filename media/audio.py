"""Reads speech from recordings: any common format to one waveform (mono float32, 16 kHz)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import BytesIO
from itertools import groupby
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from numpy.typing import NDArray

from media.channels import SILENCE_PEAK, ChannelStatistics, mixing_weights
from media.containers import (
    ACCEPTED_AUDIO,
    recognize,
    repaired,
    sample_entries,
    unsupported,
    without_id3,
)
from media.errors import (
    AudioError,
    AudioSilent,
    AudioTooLong,
    AudioTooShort,
    AudioUnreadable,
    NoAudioStream,
)
from media.formats import CODECS
from media.notices import Notice

SAMPLE_RATE = 16_000
FRAME_RATE = 25
"""Video frames per second."""
SAMPLES_PER_FRAME = SAMPLE_RATE // FRAME_RATE
MIN_DURATION = 0.2
"""Seconds; about the length of a syllable."""

_DECODERS = (
    *("aac", "alac", "flac", "mp3", "mp3float", "opus", "libopus", "vorbis", "libvorbis"),
    *("adpcm_ima_wav", "adpcm_ms", "pcm_alaw", "pcm_mulaw", "pcm_u8", "pcm_s16be", "pcm_s16le"),
    *("pcm_s24be", "pcm_s24le", "pcm_s32be", "pcm_s32le", "pcm_f32be", "pcm_f32le"),
    *("pcm_f64be", "pcm_f64le"),
)
_WITHOUT_SIGNATURE = "mp3,aac"
"""FFmpeg's demuxers of formats that are recognized by their frames alone."""
# Outside this range, the header is damaged or meant to inflate the resampled sound.
_SOURCE_RATES = range(4_000, 384_001)
_MAX_CHANNELS = 64


@dataclass(frozen=True, eq=False)
class Speech:
    """A decoded recording.

    Attributes:
        waveform: `[N]`, mono float32 in [-1, 1] at 16 kHz.
        notices: which track or channel was used, if it was not the obvious one.
    """

    waveform: NDArray[np.float32]
    notices: tuple[Notice, ...] = ()


@dataclass(frozen=True)
class SpeechProperties:
    """What is known about a recording without its samples: seconds, and the notices of `Speech`."""

    duration: float
    notices: tuple[Notice, ...] = ()


def read_waveform(source: bytes | Path, max_duration: float = 300.0) -> NDArray[np.float32]:
    """Decode a recording like `read_speech`, to its waveform `[N]` alone."""
    return read_speech(source, max_duration).waveform


def read_speech(source: bytes | Path, max_duration: float = 300.0) -> Speech:
    """Decode a recording to a waveform `[N]`, mono float32 in [-1, 1] at 16 kHz.

    The speech may be on any channel and on any track: used is the default track, or else the first
    that is decodable and not silent; and of its channels, those that are audible. A truncated file
    is judged by the part that can be decoded, and damaged packets are skipped as long as most are
    intact. Decoding stops soon after `max_duration` seconds. A recording louder than full scale is
    scaled down as a whole, not clipped.

    Args:
        source: the file's content, or the path of a file named by this program.
        max_duration: seconds.

    Raises:
        AudioUnreadable: not an accepted format, or too damaged to decode.
        NoAudioStream: a video without audio.
        AudioTooShort, AudioTooLong, AudioSilent: decoded, but not usable.
    """
    file = without_id3(source if isinstance(source, bytes) else source.read_bytes())
    demuxer = recognize(file)
    parts = _read_parts(repaired(file, demuxer), demuxer, max_duration)
    waveform = np.concatenate([part.waveform for part in parts])
    _check(waveform, max_duration)
    notices = {notice: None for part in parts for notice in part.notices}
    loudest = max(float(np.abs(waveform).max()), 1.0)
    return Speech((waveform / loudest).astype(np.float32, copy=False), tuple(notices))


def num_frames(waveform: NDArray[np.float32]) -> int:
    """Return the number of video frames at 25 fps for a waveform `[N]`, at least one."""
    return max(1, round(len(waveform) / SAMPLES_PER_FRAME))


def _read_parts(parts: Iterable[bytes], demuxer: str | None, max_duration: float) -> list[Speech]:
    """Decode the parts of a recording; those that are silent or unreadable are left out.

    Raises:
        AudioError: why the first one is unusable, if all are.
    """
    decoded: list[Speech] = []
    refusals: list[AudioError] = []
    for part in parts:
        try:
            decoded.append(_read_part(part, demuxer, max_duration))
        except (AudioSilent, AudioUnreadable) as refusal:
            refusals.append(refusal)
    if refusals and not decoded:
        raise refusals[0]
    return decoded


def _read_part(file: bytes, demuxer: str | None, max_duration: float) -> Speech:
    try:
        return _choose_track(file, demuxer, max_duration).speech(file, demuxer)
    except MemoryError:
        raise
    except av.FFmpegError as error:
        if demuxer is None:
            raise unsupported(file) from error
        raise AudioUnreadable(
            f"The recording is damaged and could not be decoded; accepted: an intact "
            f"{ACCEPTED_AUDIO}."
        ) from error


def _open_container(file: bytes, demuxer: str | None) -> InputContainer:
    """Open with the one demuxer given by the magic bytes, so that no other format is probed."""
    options = {
        "protocol_whitelist": "file",
        "format_whitelist": demuxer or _WITHOUT_SIGNATURE,
        "codec_whitelist": ",".join(_DECODERS),
    }
    # A BytesIO has no name: FFmpeg opens whatever a name suggests.
    return av.open(
        BytesIO(file), mode="r", format=demuxer, options=options, metadata_errors="replace"
    )


@dataclass(frozen=True)
class _Track:
    """An audio track that was decoded once, and the weights of its channels by their number."""

    number: int
    weights: dict[int, NDArray[np.float32]]
    is_obvious: bool

    def speech(self, file: bytes, demuxer: str | None) -> Speech:
        """Decode the track again, now mixed to one channel."""
        with _open_container(file, demuxer) as container:
            frames = _decode(container, container.streams.audio[self.number])
            pieces = list(_resample(_mixed(frames, self.weights)))
        waveform = np.concatenate(pieces) if pieces else np.zeros(0, np.float32)
        notices = [] if self.is_obvious else [Notice.ANOTHER_TRACK_USED]
        if any(len(w) > 1 and np.count_nonzero(w) == 1 for w in self.weights.values()):
            notices.append(Notice.ONE_CHANNEL_USED)
        return Speech(waveform, tuple(notices))


def _choose_track(file: bytes, demuxer: str | None, max_duration: float) -> _Track:
    """Return the first track that is decodable and not silent, default tracks first."""
    with _open_container(file, demuxer) as container:
        default = av.stream.Disposition.default
        is_default = [bool(s.disposition & default) for s in container.streams.audio]
    if not is_default:
        raise NoAudioStream(
            f"The file contains no audio; accepted: a {ACCEPTED_AUDIO} with speech."
        )
    refusals: list[AudioError] = []
    for number in sorted(range(len(is_default)), key=lambda number: not is_default[number]):
        try:
            weights = _listen(file, demuxer, number, max_duration)
        except (AudioUnreadable, AudioSilent) as refusal:
            refusals.append(refusal)
        else:
            return _Track(number, weights, is_obvious=not refusals)
    silent = [refusal for refusal in refusals if isinstance(refusal, AudioSilent)]
    raise (silent or refusals)[0]


def _listen(
    file: bytes, demuxer: str | None, number: int, max_duration: float
) -> dict[int, NDArray[np.float32]]:
    """Decode a track to find out which channels hold the speech."""
    found: dict[int, ChannelStatistics] = {}
    seconds = 0.0
    with _open_container(file, demuxer) as container:
        stream = container.streams.audio[number]
        _check_codec(stream, file)
        for frame in _decode(container, stream):
            planes = _planes(frame)
            if not np.isfinite(planes).all():
                raise AudioUnreadable("The recording contains samples that are not finite numbers.")
            found.setdefault(len(planes), ChannelStatistics(len(planes))).add(planes)
            seconds += planes.shape[1] / frame.sample_rate
            # A little more than allowed: the resampled length decides.
            if seconds > max_duration + 1:
                raise _too_long(max_duration)
    if found and all(statistics.is_silent for statistics in found.values()):
        raise AudioSilent(
            f"The recording is silent (its peak is below {SILENCE_PEAK:g} of full scale)."
        )
    return {count: mixing_weights(each.covariance) for count, each in found.items()}


def _check_codec(stream: av.AudioStream, file: bytes) -> None:
    context = stream.codec_context
    if context is not None and context.name in _DECODERS:
        return
    # FFmpeg does not know the newest codecs at all; a MOV names them.
    unknown = (CODECS[tag] for tag in sample_entries(file) if tag in CODECS)
    name = CODECS.get(context.name, context.name) if context else next(unknown, None)
    given = f"the codec {name}, which is not supported" if name else "an unsupported codec"
    raise AudioUnreadable(
        f"The recording uses {given}; accepted: AAC, ALAC, FLAC, MP3, Opus, Vorbis and PCM."
    )


def _decode(container: InputContainer, stream: av.AudioStream) -> Iterator[av.AudioFrame]:
    """Yield a track's decoded frames, skipping damaged packets."""
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
        for frame in frames:
            _check_frame(frame)
            yield frame
    if damaged > whole:
        raise AudioUnreadable(
            f"{damaged} of the recording's {damaged + whole} packets are damaged; accepted: "
            f"an intact {ACCEPTED_AUDIO}."
        )


def _check_frame(frame: av.AudioFrame) -> None:
    if frame.sample_rate not in _SOURCE_RATES:
        raise AudioUnreadable(
            f"The recording has {frame.sample_rate} samples per second; {_SOURCE_RATES[0]} to "
            f"{_SOURCE_RATES[-1]} are accepted."
        )
    if frame.layout.nb_channels > _MAX_CHANNELS:
        raise AudioUnreadable(
            f"The recording has {frame.layout.nb_channels} channels; up to {_MAX_CHANNELS} are "
            "accepted."
        )


def _planes(frame: av.AudioFrame) -> NDArray[np.float32]:
    """Return a frame's samples `[C, N]`, full scale 1.0."""
    samples = frame.to_ndarray()
    if not frame.format.is_planar:
        samples = samples.reshape(-1, frame.layout.nb_channels).T
    if samples.dtype == np.uint8:
        return ((samples.astype(np.float32) - 128) / 128).astype(np.float32)
    if samples.dtype.kind == "i":
        full_scale = 2.0 ** (8 * samples.dtype.itemsize - 1)
        return np.asarray(samples / full_scale, np.float32)
    with np.errstate(over="ignore"):
        return samples.astype(np.float32)


def _mixed(
    frames: Iterator[av.AudioFrame], weights: dict[int, NDArray[np.float32]]
) -> Iterator[av.AudioFrame]:
    """Mix each frame to one channel."""
    for frame in frames:
        planes = _planes(frame)
        used = weights[len(planes)] != 0
        mono = weights[len(planes)][used] @ planes[used]
        mixed = av.AudioFrame.from_ndarray(mono[None], format="flt", layout="mono")
        mixed.sample_rate = frame.sample_rate
        yield mixed


def _resample(frames: Iterator[av.AudioFrame]) -> Iterator[NDArray[np.float32]]:
    """Convert mono frames of any rate, even if it changes, into 16 kHz chunks `[N]`."""
    for _, run in groupby(frames, lambda frame: frame.sample_rate):
        resampler = av.AudioResampler(format="flt", layout="mono", rate=SAMPLE_RATE)
        for frame in (*run, None):
            yield from (piece.to_ndarray()[0] for piece in resampler.resample(frame))


def _too_long(max_duration: float) -> AudioTooLong:
    return AudioTooLong(
        f"The recording is longer than {max_duration:g} s; {MIN_DURATION:g} to "
        f"{max_duration:g} s are accepted."
    )


def _check(waveform: NDArray[np.float32], max_duration: float) -> None:
    duration = len(waveform) / SAMPLE_RATE
    if len(waveform) > round(max_duration * SAMPLE_RATE):
        raise _too_long(max_duration)
    if duration < MIN_DURATION:
        raise AudioTooShort(
            f"The recording is {duration:.2f} s long; at least {MIN_DURATION:g} s is required."
        )
    if not np.isfinite(waveform).all():
        raise AudioUnreadable("The recording contains samples that are not finite numbers.")
    peak = np.abs(waveform - waveform.mean()).max()
    if peak < SILENCE_PEAK:
        raise AudioSilent(
            f"The recording is silent (its peak is {peak:.4f} of full scale); a peak above "
            f"{SILENCE_PEAK:g} is required."
        )
