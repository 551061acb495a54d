"""Synthetic recordings, videos and faces."""

from functools import cache
from io import BytesIO
from typing import cast

import av
import numpy as np
from numpy.typing import NDArray


def babble(seconds: float, sample_rate: int = 16_000) -> NDArray[np.float32]:
    """Return a voice-like waveform: a buzz whose loudness rises and falls four times per second."""
    return _babble(seconds, sample_rate).copy()


@cache
def _babble(seconds: float, sample_rate: int) -> NDArray[np.float32]:
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
        # FFmpeg calls its Vorbis encoder experimental, and it only supports stereo.
        stream.codec_context.options = {"strict": "experimental"}
        frame = av.AudioFrame.from_ndarray(planes, format="fltp", layout=layout)
        frame.sample_rate = sample_rate
        for packet in (*stream.encode(frame), *stream.encode(None)):
            output.mux(packet)
    return file.getvalue()


def video(
    container: str = "mp4", codec: str = "libx264", *, speech: NDArray[np.float32] | None = None
) -> bytes:
    """Encode five grey frames, with a 16 kHz waveform `[N]` as AAC if given."""
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


def face_landmarks(
    x: float, y: float, interocular: float, *, yaw: float = 0, pitch: float = 0, roll: float = 0
) -> NDArray[np.float32]:
    """Return the landmarks `[79, 2]` of a neutral head, its eyes' midpoint at (x, y) pixels.

    `interocular` is the distance between the eyes in pixels without the rotations, which are in
    degrees: yaw to the viewer's right, pitch downwards, roll clockwise.
    """
    a, b, c = np.radians([yaw, pitch, roll])
    head = np.concatenate([HEAD, HEAD[36:42].mean(0)[None], HEAD[42:48].mean(0)[None], FOREHEAD])
    turn = np.array([[np.cos(a), 0, -np.sin(a)], [0, 1, 0], [np.sin(a), 0, np.cos(a)]])
    nod = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    lean = np.array([[np.cos(c), -np.sin(c)], [np.sin(c), np.cos(c)]])
    seen = (head @ turn.T @ nod.T)[:, :2] @ lean.T
    eyes = (seen[36:42].mean(0) + seen[42:48].mean(0)) / 2
    landmarks: NDArray[np.float32] = ((seen - eyes) * interocular + (x, y)).astype(np.float32)
    return landmarks


# ICT-FaceKit's neutral head (MIT) at the iBUG-68 landmarks: x right, y down, z away from the
# viewer, from the eyes' midpoint in inter-ocular distances.
HEAD = (
    np.array(
        (
            *((-113, -4, 85), (-112, 30, 81), (-107, 60, 72), (-101, 89, 62), (-88, 122, 48)),
            *((-66, 148, 29), (-47, 159, 7), (-24, 164, -16), (0, 169, -19), (24, 164, -16)),
            *((47, 159, 7), (66, 148, 29), (88, 122, 48), (101, 89, 62), (107, 60, 72)),
            *((112, 30, 81), (113, -4, 85), (-89, -27, 20), (-76, -39, 4), (-58, -43, -9)),
            *((-37, -42, -19), (-18, -38, -23), (18, -38, -23), (37, -42, -19), (58, -43, -9)),
            *((76, -39, 4), (89, -27, 20), (0, -5, -23), (0, 12, -35), (0, 28, -47)),
            *((0, 47, -59), (-19, 70, -25), (-9, 70, -34), (0, 71, -36), (9, 70, -34)),
            *((19, 70, -25), (-68, 0, 10), (-59, -7, -2), (-43, -8, -5), (-28, 3, 0)),
            *((-42, 5, -3), (-59, 6, 0), (28, 3, 0), (43, -8, -5), (59, -7, -2)),
            *((68, 0, 10), (59, 6, 0), (42, 5, -3), (-39, 107, -15), (-26, 95, -31)),
            *((-11, 90, -38), (0, 91, -40), (11, 90, -38), (26, 95, -31), (39, 107, -15)),
            *((28, 115, -26), (16, 119, -33), (0, 120, -36), (-16, 119, -33), (-28, 115, -26)),
            *((-34, 106, -14), (-15, 103, -29), (0, 104, -32), (15, 103, -29), (34, 106, -14)),
            *((16, 105, -28), (0, 105, -31), (-16, 105, -28)),
        )
    )
    / 100
)
# A line over the upper forehead, flat enough for tests.
FOREHEAD = np.array([(x, 0.15 * x * x - 0.9, 0.2) for x in np.linspace(-0.9, 0.9, 9)])
