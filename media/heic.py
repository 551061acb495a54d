"""Reads HEIC pictures: libheif reads the container, FFmpeg decodes the pixels.

libheif's own decoder starts a thread, which the sandbox does not allow. Phones store a picture as a
grid of tiles, each an item of its own. Which items make up the picture, and how it is turned, is
read from the file's boxes (ISO/IEC 14496-12, 8.11, and 23008-12, 6.5).
"""

from collections.abc import Iterator
from dataclasses import dataclass
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
_NOTHING = memoryview(b"")
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
        item = _primary_item(self._content)
        turns, flip = item.quarter_turns, item.flipped_axis
        width, height = self.size[::-1] if turns % 2 else self.size
        tiles = self._tiles(item, width, height)
        columns = ceil(width / tiles[0].shape[1])
        lines = [np.hstack(tiles[at : at + columns]) for at in range(0, len(tiles), columns)]
        pixels = np.rot90(np.vstack(lines)[:height, :width], turns)
        if flip is not None:
            pixels = np.flip(pixels, flip)
        return Image.fromarray(np.ascontiguousarray(pixels))

    def _tiles(self, item: "_PrimaryItem", width: int, height: int) -> list[NDArray[np.uint8]]:
        """Return the tiles `[h, w, 3]` of the stored picture, row by row."""
        with av.open(BytesIO(self._content), "r", format="mov", options=_OPTIONS) as container:
            # FFmpeg's stream of an item has its id.
            by_id = {stream.id: stream for stream in container.streams.video}
            tiles = [by_id[id] for id in item.tiles if id in by_id]
            sizes = {(each.codec_context.width, each.codec_context.height) for each in tiles}
            if len(sizes) != 1:
                raise ValueError("The picture's tiles are missing, or differ in size.")
            ((across, down),) = sizes
            count = ceil(width / across) * ceil(height / down)
            if len(tiles) != count:
                raise ValueError(f"The picture has {len(tiles)} of {count} tiles.")
            for stream in tiles:
                stream.codec_context.thread_count = 1
            found: dict[int, NDArray[np.uint8]] = {}
            for packet in container.demux(tiles):
                for frame in packet.decode():
                    if isinstance(frame, av.VideoFrame):
                        found.setdefault(packet.stream.index, _to_rgb(frame))
            if any(stream.index not in found for stream in tiles):
                raise ValueError("Some of the picture's tiles cannot be decoded.")
            return [found[stream.index] for stream in tiles]


@dataclass(frozen=True)
class _PrimaryItem:
    """The item that is the picture, among thumbnails, depth maps and further pictures.

    Attributes:
        tiles: ids of the items that it consists of, row by row.
        quarter_turns: how far it is turned, anticlockwise.
        flipped_axis: the axis that is flipped afterwards, or None.
    """

    tiles: list[int]
    quarter_turns: int
    flipped_axis: int | None


def _primary_item(content: bytes) -> _PrimaryItem:
    """Find the picture of a file.

    Raises:
        ValueError: the file does not say.
    """
    meta = dict(_boxes(_first(memoryview(content), b"meta")[4:]))
    if b"pitm" not in meta:
        raise ValueError("The file does not say which of its items is the picture.")
    primary = int.from_bytes(meta[b"pitm"][4:8])
    shared = meta.get(b"iprp", _NOTHING)
    properties = _properties(_first(shared, b"ipma"), primary)
    known = list(_boxes(_first(shared, b"ipco")))
    own = dict(known[index - 1] for index in properties if 0 < index <= len(known))
    turn, mirror = own.get(b"irot"), own.get(b"imir")
    return _PrimaryItem(
        _parts(meta.get(b"iref", _NOTHING), primary) or [primary],
        turn[0] & 3 if turn else 0,
        mirror[0] & 1 if mirror else None,
    )


def _boxes(content: memoryview) -> Iterator[tuple[bytes, memoryview]]:
    """Yield the name and the body of each box."""
    while len(content) >= 8:
        size = int.from_bytes(content[:4])
        if size == 1:
            size, head = int.from_bytes(content[8:16]), 16
        else:
            size, head = size or len(content), 8
        if size < head:
            return
        yield bytes(content[4:8]), content[head:size]
        content = content[size:]


def _first(content: memoryview, name: bytes) -> memoryview:
    return next((body for kind, body in _boxes(content) if kind == name), _NOTHING)


def _parts(references: memoryview, primary: int) -> list[int]:
    """Return the ids of the items that an item is derived from, from an `iref` box."""
    length = 4 if references[:1].tobytes() == b"\1" else 2
    for kind, body in _boxes(references[4:]):
        if kind == b"dimg" and int.from_bytes(body[:length]) == primary:
            ids = body[length + 2 :][: MAX_TILES * length]
            return [int.from_bytes(ids[at : at + length]) for at in range(0, len(ids), length)]
    return []


def _properties(associations: memoryview, primary: int) -> list[int]:
    """Return the indices of an item's properties, from 1, from an `ipma` box."""
    id_length = 4 if associations[:1].tobytes() == b"\1" else 2
    length = 2 if associations[3:4].tobytes() == b"\1" else 1
    without_flag = (1 << 8 * length - 1) - 1
    rest = associations[8:]
    while len(rest) > id_length:
        item, count = int.from_bytes(rest[:id_length]), rest[id_length]
        listed, rest = (
            rest[id_length + 1 :][: count * length],
            rest[id_length + 1 + count * length :],
        )
        if item == primary:
            indices = (listed[at : at + length] for at in range(0, len(listed), length))
            return [int.from_bytes(each) & without_flag for each in indices]
    return []


def _to_rgb(frame: av.VideoFrame) -> NDArray[np.uint8]:
    """Return a frame as RGB `[H, W, 3]`; the sandbox does not allow threads."""
    converted = frame.reformat(format="rgb24", interpolation=_EXACT, threads=1)
    return converted.to_ndarray().astype(np.uint8, copy=False)
