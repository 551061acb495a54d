"""Pictures as phones store them: HEIC files whose picture is a grid of tiles."""

import struct
from functools import cache
from io import BytesIO

import numpy as np
import pillow_heif
from numpy.typing import NDArray
from PIL import Image

from tests.security.boxes import box

TILES_FIRST, GRID, THUMBNAIL = 1, 1000, 1001
"""Ids of items: the tiles' follow one another."""


def heic_grid(
    pixels: NDArray[np.uint8], tile: int, quarter_turns: int = 0, *, has_thumbnail: bool = True
) -> bytes:
    """Return an RGB picture `[H, W, 3]` as a HEIC grid of square tiles of `tile` pixels.

    The last tiles of a row and a column reach beyond the picture. Readers turn it anticlockwise.
    """
    height, width = pixels.shape[:2]
    rows, columns = -(-height // tile), -(-width // tile)
    margins = ((0, rows * tile - height), (0, columns * tile - width), (0, 0))
    padded = np.pad(pixels, margins, mode="edge")
    items = [
        _encoded(Image.fromarray(padded).crop((tile * c, tile * r, tile * (c + 1), tile * (r + 1))))
        for r in range(rows)
        for c in range(columns)
    ]
    tiles = list(range(TILES_FIRST, TILES_FIRST + len(items)))
    ids, shown = list(tiles), [(number, (1, 2)) for number in tiles]
    shown.append((GRID, (3, 4)))
    references = box(b"dimg", struct.pack(f">HH{len(tiles)}H", GRID, len(tiles), *tiles))
    if has_thumbnail:
        small = Image.fromarray(pixels).resize((64, 64))
        items.append(_encoded(small))
        ids.append(THUMBNAIL)
        shown.append((THUMBNAIL, (6, 5)))
        references += box(b"thmb", struct.pack(">HHH", THUMBNAIL, 1, GRID))
    properties = box(
        b"ipco",
        box(b"hvcC", items[0][0]),
        _extent(tile, tile),
        _extent(width, height),
        box(b"irot", bytes([quarter_turns])),
        _extent(64, 64),
        *([box(b"hvcC", items[-1][0])] if has_thumbnail else []),
    )
    grid = struct.pack(">BBBBHH", 0, 0, rows - 1, columns - 1, width, height)

    def meta(start: int) -> bytes:
        """Return the meta box of a file whose data starts at an offset."""
        places, at = [], start
        for number, (_, data) in zip(ids, items, strict=True):
            places.append(struct.pack(">HHHHII", number, 0, 0, 1, at, len(data)))
            at += len(data)
        places.append(struct.pack(">HHHHII", GRID, 1, 0, 1, 0, len(grid)))
        kinds = [(number, b"hvc1") for number in ids] + [(GRID, b"grid")]
        return _full(
            b"meta",
            _full(b"hdlr", struct.pack(">I4s12xx", 0, b"pict")),
            _full(b"pitm", struct.pack(">H", GRID)),
            _full(b"iloc", struct.pack(">HH", 0x4400, len(places)), *places, version=1),
            _full(
                b"iinf",
                struct.pack(">H", len(kinds)),
                *(
                    _full(b"infe", struct.pack(">HH4sx", number, 0, kind), version=2)
                    for number, kind in kinds
                ),
            ),
            _full(b"iref", references),
            box(
                b"iprp",
                properties,
                _full(
                    b"ipma",
                    struct.pack(">I", len(shown)),
                    *(struct.pack(">HB2B", number, 2, *indices) for number, indices in shown),
                ),
            ),
            box(b"idat", grid),
        )

    head = box(b"ftyp", b"heic", struct.pack(">I", 0), b"mif1heic")
    start = len(head) + len(meta(0)) + 8
    return head + meta(start) + box(b"mdat", *(data for _, data in items))


def _encoded(picture: Image.Image) -> tuple[bytes, bytes]:
    """Return the HEVC configuration and the data of a picture."""
    return _encode(picture.tobytes(), picture.size)


@cache
def _encode(pixels: bytes, size: tuple[int, int]) -> tuple[bytes, bytes]:
    stream = BytesIO()
    heif = pillow_heif.from_pillow(Image.frombytes("RGB", size, pixels))
    heif.save(stream, quality=90)
    file = stream.getvalue()
    at = file.index(b"hvcC")
    (length,) = struct.unpack(">I", file[at - 4 : at])
    return file[at + 4 : at - 4 + length], file[file.index(b"mdat") + 4 :]


def _extent(width: int, height: int) -> bytes:
    return _full(b"ispe", struct.pack(">II", width, height))


def _full(name: bytes, *bodies: bytes, version: int = 0) -> bytes:
    return box(name, struct.pack(">I", version << 24), *bodies)
