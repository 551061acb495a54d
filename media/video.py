"""Reads and writes videos: encodes frames and speech as an MP4 for browsers, and decodes frames."""

from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av
import cv2
import numpy as np
from av.container import OutputContainer
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc, Interpolation
from numpy.typing import NDArray

from media.audio import FRAME_RATE, SAMPLE_RATE
from media.files import ffmpeg_name, written_whole
from media.hls import AnyPacket, SegmentedVideo
from media.provenance import Provenance

PLAYERS_AUDIO_RATE = 48_000
"""Samples per second in a file, as expected by players."""
_AUDIO_BITS_PER_SAMPLE = 8 / 3
# Pictures that wait for later ones (B-frames) would delay the video's start, by 80 ms in players
# that ignore edit lists; without them, AAC's 21 ms are left. The faster preset takes half of the
# time at the same size, for 1 dB. A face before a still background hardly gains from blocks that
# are divided or searched for far away: without that, a quarter of the time less, for 1% more bytes.
# An encoder that looks 5 frames ahead instead of 10 gives the first second of a stream 5 frames
# earlier; one step finer, its files are as large and at most 1 dB off.
_QUALITY = {"crf": "14", "preset": "veryfast", "bf": "0", "rc-lookahead": "5"}
_SEARCH = {"partitions": "none", "motion-est": "dia", "me_range": "8"}
_VIDEO_THREADS = 4
"""Fixed, because x264's output depends on its number of threads."""
# Without these flags, FFmpeg's fast paths darken a picture by one to two levels of 255.
_TO_RGB = Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT
_TO_YUV = np.array(
    [
        [0.1826, 0.6142, 0.0620, 16],
        [-0.1006, -0.3386, 0.4392, 128],
        [0.4392, -0.3989, -0.0403, 128],
    ]
)
"""From RGB, 0-255, to BT.709 of limited range (ITU-R BT.709-6, item 3): gains and an offset."""


def encode_video(
    path: Path,
    frames: Iterable[NDArray[np.uint8]],
    waveform: NDArray[np.float32],
    frame_rate: int = FRAME_RATE,
    audio_rate: int = PLAYERS_AUDIO_RATE,
    provenance: Provenance | None = Provenance(),  # noqa: B008 (frozen)
    segments: SegmentedVideo | None = None,
) -> None:
    """Write RGB frame batches `[B, H, W, 3]` and a 16 kHz waveform `[N]` as an MP4.

    H.264 (yuv420p, BT.709) and AAC, with the index at the front so that playback can start during
    the download. Each batch is encoded before the next is requested, and the sound is interleaved
    on the way: memory does not grow with the length. The file contains all frames, and sound as
    long as the waveform; an odd last row or column of pixels is dropped. The same input gives the
    same bytes. On any error, an existing file stays as it was.

    The same packets also go into `segments`, if given, as they are encoded.

    The file carries the statement given by `provenance`; None is for footage of real people, which
    has no statement.

    Raises:
        ValueError: there are no frames.
    """
    pictures = (picture for batch in frames for picture in batch)
    first = next(pictures, None)
    if first is None:
        raise ValueError("A video needs at least one frame.")
    options = {"movflags": "+faststart", "fflags": "+bitexact", "movie_timescale": "48000"}
    with written_whole(path) as partial:
        with av.open(ffmpeg_name(partial), "w", format="mp4", options=options) as container:
            container.metadata.update(provenance.tags if provenance else {})
            video = _add_video(container, first.shape, frame_rate)
            sound = _add_sound(container, audio_rate)
            write = _writer(container, segments, provenance)
            _encode(write, video, sound, chain([first], pictures), waveform)
        if segments:
            segments.finish()
        if provenance:
            provenance.append_to(partial)


def read_frames(path: Path) -> Iterator[NDArray[np.uint8]]:
    """Yield a video's RGB frames `[H, W, 3]` in order, decoding each on demand."""
    with av.open(ffmpeg_name(path)) as container:
        for frame in container.decode(video=0):
            yield to_picture(frame)


def to_picture(frame: av.VideoFrame) -> NDArray[np.uint8]:
    """Return a decoded frame as RGB `[H, W, 3]`, with exact colours."""
    picture = frame.reformat(format="rgb24", interpolation=_TO_RGB).to_ndarray()
    return picture.astype(np.uint8, copy=False)


def _writer(
    container: OutputContainer, segments: SegmentedVideo | None, provenance: Provenance | None
) -> Callable[[list[AnyPacket]], None]:
    """Return what writes encoded packets to the file and to the segments."""
    if segments is None:
        return container.mux
    container.start_encoding()
    segments.start(container, provenance)

    def write(packets: list[AnyPacket]) -> None:
        for packet in packets:
            segments.write(packet)
            container.mux(packet)

    return write


def _encode(
    write: Callable[[list[AnyPacket]], None],
    video: av.VideoStream,
    sound: av.AudioStream,
    pictures: Iterable[NDArray[np.uint8]],
    waveform: NDArray[np.float32],
) -> None:
    frame_rate = video.codec_context.rate
    speech = _audio_frames(waveform, sound.rate)
    written = 0.0
    for index, picture in enumerate(pictures):
        write(video.encode(_video_frame(picture)))
        # The sound so far, so that the file interleaves both and the muxer buffers neither.
        while written < (index + 1) / frame_rate and (piece := next(speech, None)):
            write(sound.encode(piece))
            written += piece.samples / sound.rate
    write(video.encode(None))
    for piece in speech:
        write(sound.encode(piece))
    write(sound.encode(None))


def _add_sound(container: OutputContainer, audio_rate: int) -> av.AudioStream:
    stream = container.add_stream("aac", rate=audio_rate, layout="mono")
    stream.bit_rate = round(_AUDIO_BITS_PER_SAMPLE * audio_rate)
    return stream


def _add_video(
    container: OutputContainer, shape: tuple[int, ...], frame_rate: int
) -> av.VideoStream:
    stream = container.add_stream("libx264", rate=frame_rate, options=_QUALITY | _SEARCH)
    stream.height, stream.width = shape[0] // 2 * 2, shape[1] // 2 * 2
    stream.pix_fmt = "yuv420p"
    context = stream.codec_context
    context.thread_count = _VIDEO_THREADS
    # Seeking jumps to key frames: one every two seconds.
    context.gop_size = 2 * frame_rate
    context.colorspace = Colorspace.ITU709
    context.color_range = ColorRange.MPEG
    context.color_primaries = ColorPrimaries.BT709
    context.color_trc = ColorTrc.BT709
    return stream


def _video_frame(picture: NDArray[np.uint8]) -> av.VideoFrame:
    """Convert RGB `[H, W, 3]` to limited-range BT.709, the colour space in the file's tags."""
    height, width = (length // 2 * 2 for length in picture.shape[:2])
    even = picture[:height, :width]
    halved = cv2.resize(even, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    # All three channels at once, in whole numbers, take OpenCV a quarter of the time of one.
    luma = cv2.extractChannel(cv2.transform(even, _TO_YUV), 0)
    _, *chroma = cv2.split(cv2.transform(halved, _TO_YUV))
    pixels = np.concatenate([np.ravel(plane) for plane in (luma, *chroma)])
    return av.VideoFrame.from_ndarray(pixels.reshape(-1, width), format="yuv420p")


def _audio_frames(waveform: NDArray[np.float32], rate: int) -> Iterator[av.AudioFrame]:
    """Resample a 16 kHz waveform `[N]` in chunks, keeping its exact duration."""
    resampler = av.AudioResampler(format="fltp", layout="mono", rate=rate, frame_size=1024)
    for start in range(0, len(waveform), SAMPLE_RATE):
        piece = np.ascontiguousarray(waveform[None, start : start + SAMPLE_RATE])
        frame = av.AudioFrame.from_ndarray(piece, format="flt", layout="mono")
        frame.sample_rate, frame.pts = SAMPLE_RATE, start
        frame.time_base = Fraction(1, SAMPLE_RATE)
        yield from resampler.resample(frame)
    yield from resampler.resample(None)
