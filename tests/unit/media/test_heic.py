"""HEIC pictures as phones store them."""

from io import BytesIO

import numpy as np
import pillow_heif
import pytest
from numpy.typing import NDArray
from PIL import Image

from media.errors import PortraitUnreadable
from media.picture import read_portrait
from tests.heic_grid import GRID, TILES_FIRST, heic_grid


def gradient(height: int, width: int) -> NDArray[np.uint8]:
    """A picture each of whose places has a colour of its own."""
    y, x = np.mgrid[0:height, 0:width]
    channels = (40 + 160 * x / width, 40 + 160 * y / height, 200 - 120 * x / width)
    return np.stack(channels, axis=-1).astype(np.uint8)


PICTURE = gradient(200, 330)


@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize("has_thumbnail", [True, False])
def test_a_grid_of_tiles_is_one_upright_picture(turns: int, has_thumbnail: bool) -> None:
    read = read_portrait(heic_grid(PICTURE, 64, turns, has_thumbnail=has_thumbnail))
    np.testing.assert_allclose(read, np.rot90(PICTURE, turns), atol=8)


@pytest.mark.parametrize("size", [64, 96])
def test_of_several_pictures_the_primary_one_is_read(size: int) -> None:
    pictures = pillow_heif.HeifFile()  # type: ignore[no-untyped-call]
    pictures.add_from_pillow(Image.new("RGB", (96, 96), (200, 20, 20)))
    pictures.add_from_pillow(Image.new("RGB", (size, size), (20, 20, 200)))
    file = BytesIO()
    pictures.save(file, primary_index=1)
    read = read_portrait(file.getvalue())
    assert read.shape == (size, size, 3)
    np.testing.assert_allclose(read.mean((0, 1)), (20, 20, 200), atol=4)


GRID_FILE = heic_grid(PICTURE, 128)
_LIST = (GRID.to_bytes(2), (6).to_bytes(2), TILES_FIRST.to_bytes(2))


@pytest.mark.parametrize(
    ("part", "wrong"),
    [
        (b"".join(_LIST), b"".join((*_LIST[:2], b"\xff\xff"))),  # no such tile
        (b"".join(_LIST), b"".join((*_LIST[:2], (GRID + 1).to_bytes(2)))),  # the thumbnail
        (b"dimg", b"free"),
        (b"pitm", b"free"),
        (b"iref", b"free"),
        (b"hvcC", b"free"),
    ],
)
def test_a_grid_without_its_tiles_is_refused(part: bytes, wrong: bytes) -> None:
    assert GRID_FILE.count(part) >= 1
    with pytest.raises(PortraitUnreadable):
        read_portrait(GRID_FILE.replace(part, wrong))


def test_a_truncated_grid_is_refused() -> None:
    with pytest.raises(PortraitUnreadable):
        read_portrait(GRID_FILE[: -len(GRID_FILE) // 3])
