"""Recordings and pictures that the tests make for themselves."""

from io import BytesIO
from typing import cast

import av
import numpy as np
from numpy.typing import NDArray


def babble(seconds: float, sample_rate: int = 16_000) -> NDArray[np.float32]:
    """Return a voice-like waveform: a buzz whose loudness rises and falls four times a second."""
    time = np.arange(round(seconds * sample_rate)) / sample_rate
    buzz = sum(np.sin(2 * np.pi * 140 * harmonic * time) / harmonic for harmonic in range(1, 8))
    loudness = 0.5 - 0.5 * np.cos(2 * np.pi * 4 * time)
    return (0.3 * buzz * loudness).astype(np.float32)


def recording(
    waveform: NDArray[np.float32],
    container: str,
    codec: str,
    *,
    sample_rate: int = 16_000,
    layout: str = "mono",
) -> bytes:
    """Encode a waveform `[N]` or `[C, N]`."""
    file = BytesIO()
    planes = np.atleast_2d(waveform).astype(np.float32)
    with av.open(file, "w", format=container) as output:
        stream = cast(av.AudioStream, output.add_stream(codec, rate=sample_rate, layout=layout))
        # FFmpeg calls its Vorbis encoder experimental, and it knows stereo only.
        stream.codec_context.options = {"strict": "experimental"}
        frame = av.AudioFrame.from_ndarray(planes, format="fltp", layout=layout)
        frame.sample_rate = sample_rate
        for packet in (*stream.encode(frame), *stream.encode(None)):
            output.mux(packet)
    return file.getvalue()


def video(
    container: str = "mp4", codec: str = "libx264", *, speech: NDArray[np.float32] | None = None
) -> bytes:
    """Encode five grey frames, with a 16 kHz waveform `[N]` as AAC if one is given."""
    file = BytesIO()
    with av.open(file, "w", format=container) as output:
        pictures = cast(av.VideoStream, output.add_stream(codec, rate=25, pix_fmt="yuv420p"))
        pictures.width = pictures.height = 64
        sound = None if speech is None else output.add_stream("aac", rate=16_000, layout="mono")
        grey = av.VideoFrame.from_ndarray(np.full((64, 64, 3), 128, np.uint8), format="rgb24")
        for frame in (*[grey] * 5, None):
            output.mux(pictures.encode(frame))
        if sound is not None and speech is not None:
            samples = av.AudioFrame.from_ndarray(speech[None], format="fltp", layout="mono")
            samples.sample_rate = 16_000
            output.mux(sound.encode(samples))
            output.mux(sound.encode(None))
    return file.getvalue()
