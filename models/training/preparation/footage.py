"""Pictures and speech of a take in training's format: 25 frames a second, 16 kHz, same start."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from media.audio import FRAME_RATE, SAMPLE_RATE, read_waveform
from media.errors import AudioError, AudioSilent, NoAudioStream
from media.files import ffmpeg_name
from media.video import to_picture
from models.training.preparation.corpora.takes import Take
from models.training.preparation.rejection import Reason, Rejected


def read_footage(path: Path) -> Iterator[NDArray[np.uint8]]:
    """Yield RGB frames `[H, W, 3]` at 25 per second, each the nearest in time at any rate.

    Raises:
        Rejected: the file contains no pictures, or damaged ones.
    """
    try:
        with av.open(ffmpeg_name(path)) as container:
            if not container.streams.video:
                raise Rejected(Reason.UNREADABLE, "the file contains no pictures")
            yield from _nearest(container.decode(video=0))
    except av.FFmpegError as error:
        raise Rejected(Reason.UNREADABLE, error.strerror or str(error)) from error


def read_speech(take: Take) -> NDArray[np.float32] | None:
    """Return the take's waveform `[N]` from the start of its pictures, or None without sound.

    Raises:
        Rejected: the sound is damaged or far too long.
    """
    try:
        waveform = read_waveform(take.sound)
    except (NoAudioStream, AudioSilent):
        return None
    except AudioError as error:
        raise Rejected(Reason.SOUND_UNUSABLE, str(error)) from error
    late = round(_sound_delay(take.video) * SAMPLE_RATE) if take.sound == take.video else 0
    return np.pad(waveform, (late, 0)) if late >= 0 else waveform[-late:]


def _nearest(frames: Iterable[av.VideoFrame]) -> Iterator[NDArray[np.uint8]]:
    """Yield the nearest frame for each tick of 1/25 s."""
    ticks = 0
    for frame, until in _reaches(frames):
        picture = _upright(frame) if ticks / FRAME_RATE < until else None
        while picture is not None and ticks / FRAME_RATE < until:
            yield picture
            ticks += 1


def _reaches(frames: Iterable[av.VideoFrame]) -> Iterator[tuple[av.VideoFrame, float]]:
    """Yield each frame and the time, in seconds from the first, until which no other is nearer."""
    begin, gap = 0.0, 1 / FRAME_RATE
    previous: av.VideoFrame | None = None
    for frame in frames:
        if previous is None:
            begin = _seconds(frame)
        else:
            gap = _seconds(frame) - _seconds(previous)
            yield previous, _seconds(previous) - begin + gap / 2
        previous = frame
    if previous is None:
        raise Rejected(Reason.UNREADABLE, "the file contains no pictures")
    # The last one lasts as long as the previous one, less half a tick, because ticks are rounded
    # too.
    yield previous, _seconds(previous) - begin + gap - 0.5 / FRAME_RATE


def _upright(frame: av.VideoFrame) -> NDArray[np.uint8]:
    """Rotate a frame `[H, W, 3]` as its file specifies; phones record sideways."""
    return np.rot90(to_picture(frame), frame.rotation // 90)


def _seconds(frame: av.VideoFrame) -> float:
    if frame.time is None:
        raise Rejected(Reason.UNREADABLE, "its frames have no timestamps")
    return frame.time


def _sound_delay(path: Path) -> float:
    """Return the start of a file's sound in seconds after that of the pictures."""
    with av.open(ffmpeg_name(path)) as container:
        streams = (*container.streams.audio[:1], *container.streams.video[:1])
        starts = [float((stream.start_time or 0) * (stream.time_base or 0)) for stream in streams]
    return starts[0] - starts[-1]
