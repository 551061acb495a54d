"""Reads HEIC pictures: libheif reads the container, FFmpeg decodes the pixels.

libheif's own decoder starts a thread, which the sandbox does not allow. Phones store a picture as a
grid of tiles, each an item of its own.
"""

from io import BytesIO
from math import ceil

import av
import numpy as np
import pillow_heif
from av.video.reformatter import Interpolation
from numpy.typing import NDArray
from PIL import Image

MAX_TILES = 4_096

_OPTIONS = {"protocol_whitelist": "file", "format_whitelist": "mov", "codec_whitelist": "hevc"}
# As `media.video.to_picture`: FFmpeg's fast paths darken a picture.
_EXACT = Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT
_BRANDS = (b"hei", b"hev", b"mif1", b"msf1")


def is_heic(content: bytes) -> bool:
    """Return whether a file claims to be a HEIC picture; AVIF has brands of its own."""
    return any(content[4:].startswith(b"ftyp" + brand) for brand in _BRANDS)


class HeicPicture:
    """A HEIC file whose pixels have not been decoded yet.

    Attributes:
        size: width and height in pixels, upright.
        icc_profile: its colour profile, or None.
    """

    def __init__(self, content: bytes) -> None:
        """Read the container.

        Raises:
            ValueError: it is damaged.
        """
        self._content = content
        header = pillow_heif.open_heif(BytesIO(content))
        self.size: tuple[int, int] = header.size
        self.icc_profile: bytes | None = header.info.get("icc_profile")

    def decode(self) -> Image.Image:
        """Return the upright picture.

        Raises:
            av.FFmpegError, ValueError: it is damaged.
        """
        turns, flip = self._orientation()
        width, height = self.size[::-1] if turns % 2 else self.size
        tiles = self._tiles(width, height)
        columns = ceil(width / tiles[0].shape[1])
        lines = [np.hstack(tiles[at : at + columns]) for at in range(0, len(tiles), columns)]
        pixels = np.rot90(np.vstack(lines)[:height, :width], turns)
        if flip is not None:
            pixels = np.flip(pixels, flip)
        return Image.fromarray(np.ascontiguousarray(pixels))

    def _tiles(self, width: int, height: int) -> list[NDArray[np.uint8]]:
        """Return the tiles `[h, w, 3]` of the stored picture, row by row.

        They are the first items, all of one size; thumbnails and other layers follow.
        """
        with av.open(BytesIO(self._content), "r", format="mov", options=_OPTIONS) as container:
            streams = list(container.streams.video)
            first = streams[0].codec_context
            count = ceil(width / first.width) * ceil(height / first.height)
            same = [
                stream
                for stream in streams
                if (stream.codec_context.width, stream.codec_context.height)
                == (first.width, first.height)
            ][:count]
            if len(same) < count or count > MAX_TILES:
                raise ValueError(f"The picture has {len(same)} of {count} tiles.")
            for stream in same:
                stream.codec_context.thread_count = 1
            found: dict[int, NDArray[np.uint8]] = {}
            for packet in container.demux(same):
                for frame in packet.decode():
                    if isinstance(frame, av.VideoFrame):
                        found.setdefault(packet.stream.index, _to_rgb(frame))
            return [found[stream.index] for stream in same]

    def _orientation(self) -> tuple[int, int | None]:
        """Return the quarter turns anticlockwise and then the axis to flip, or None.

        ISO/IEC 23008-12, 6.5.10 and 6.5.12.
        """
        turn, mirror = (self._content.find(box) for box in (b"irot", b"imir"))
        turns = self._content[turn + 4] & 3 if turn >= 0 else 0
        return turns, self._content[mirror + 4] & 1 if mirror >= 0 else None


def _to_rgb(frame: av.VideoFrame) -> NDArray[np.uint8]:
    """Return a frame as RGB `[H, W, 3]`; the sandbox does not allow threads."""
    converted = frame.reformat(format="rgb24", interpolation=_EXACT, threads=1)
    return converted.to_ndarray().astype(np.uint8, copy=False)
