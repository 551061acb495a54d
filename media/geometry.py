"""Square windows of a picture, of any size and position, even beyond its edges."""

from collections.abc import Iterator
from math import ceil, floor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image


class Square(NamedTuple):
    """A square in pixels of a picture; it may lie partly outside.

    `left` and `top` are those of the upright square; `angle` then rotates it about its centre, in
    degrees clockwise as seen.
    """

    left: float
    top: float
    side: float
    angle: float = 0.0

    @classmethod
    def around(cls, x: float, y: float, side: float, angle: float = 0.0) -> "Square":
        """Return the square of `side` whose centre is (x, y)."""
        return cls(x - side / 2, y - side / 2, side, angle)

    @property
    def centre(self) -> tuple[float, float]:
        """The centre, (x, y)."""
        return self.left + self.side / 2, self.top + self.side / 2

    def holds(self, x: float, y: float) -> bool:
        """Return whether the point (x, y) lies in the square."""
        across, down = self.to_window(np.array([x, y], np.float32), 1)
        return bool(0 <= across <= 1 and 0 <= down <= 1)

    def to_window(self, points: NDArray[np.float32], size: int) -> NDArray[np.float32]:
        """Map picture pixels `[..., 2]` to pixels of the window cut by `crop_square`."""
        upright = self._about_centre(points, -self.angle)
        return ((upright - self[:2]) * (size / self.side)).astype(np.float32)

    def to_picture(self, points: NDArray[np.float32], size: int) -> NDArray[np.float32]:
        """Map window pixels `[..., 2]` back to pixels of the picture."""
        upright = (points * (self.side / size) + self[:2]).astype(np.float32)
        return self._about_centre(upright, self.angle)

    def within(self, width: float, height: float) -> "Square":
        """Return the upright square, moved and if necessary shrunk to lie inside a picture."""
        side = min(self.side, width, height)
        x, y = self.centre
        left = min(max(x - side / 2, 0), width - side)
        top = min(max(y - side / 2, 0), height - side)
        return Square(left, top, side)

    def _about_centre(self, points: NDArray[np.float32], angle: float) -> NDArray[np.float32]:
        """Rotate picture pixels `[..., 2]` clockwise by an angle in degrees."""
        if not angle:
            return points
        turned = (points - self.centre) @ rotation(angle).T + self.centre
        return np.asarray(turned, np.float32)


def rotation(angle: float) -> NDArray[np.float64]:
    """Return the matrix `[2, 2]` that rotates a column vector (x, y) clockwise, in degrees."""
    cosine, sine = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    return np.array([[cosine, -sine], [sine, cosine]])


def crop_square(image: NDArray[np.uint8], square: Square, size: int) -> NDArray[np.uint8]:
    """Cut a square of `[H, W, 3]` and scale it to `[size, size, 3]`.

    Beyond the edge of the picture, its edge pixels are repeated. The square must overlap the
    picture.
    """
    if square.angle:
        return _crop_turned(image, square, size)
    height, width = image.shape[:2]
    left, right = _covered(square.left, square.side, width, size)
    top, bottom = _covered(square.top, square.side, height, size)
    pixel = square.side / size
    # Pillow only gets the pixels under the window and within the filter's reach.
    reach = ceil(4 * pixel)
    x, y = (max(0, floor(start) - reach) for start in square[:2])
    region = image[
        y : ceil(square.top + square.side) + reach, x : ceil(square.left + square.side) + reach
    ]
    inside = (
        max(square.left + left * pixel - x, 0),
        max(square.top + top * pixel - y, 0),
        min(square.left + right * pixel - x, region.shape[1]),
        min(square.top + bottom * pixel - y, region.shape[0]),
    )
    part = Image.fromarray(region).resize(
        (right - left, bottom - top), Image.Resampling.LANCZOS, box=inside, reducing_gap=3.0
    )
    margins = ((top, size - bottom), (left, size - right), (0, 0))
    return np.pad(np.asarray(part), margins, mode="edge")


def _crop_turned(image: NDArray[np.uint8], square: Square, size: int) -> NDArray[np.uint8]:
    """Cut the upright square around a rotated one at its scale, then rotate the result."""
    turn = rotation(square.angle)
    wide = ceil(size * np.abs(turn).sum(axis=1).max()) + 4
    around = Square.around(*square.centre, wide * square.side / size)
    upright = Image.fromarray(crop_square(image, around, wide))
    # Pillow maps the window's pixels to those of the larger one, both relative to their centres.
    shift = wide / 2 - turn @ (size / 2, size / 2)
    places = (*turn[0], shift[0], *turn[1], shift[1])
    how = Image.Transform.AFFINE
    return np.asarray(upright.transform((size, size), how, places, Image.Resampling.BICUBIC))


def cut_tiles(
    image: NDArray[np.uint8], side: float, size: int
) -> Iterator[tuple[NDArray[np.uint8], Square]]:
    """Cover `[H, W, 3]` with squares that overlap by a quarter or more.

    The picture is scaled once, and the tiles are slices of it. `side` is the tiles' side in pixels
    of the picture, at most its longer side.

    Yields:
        Each tile, `[size, size, 3]`, and its position in the picture.
    """
    pixel = side / size
    height, width = (max(1, round(length / pixel)) for length in image.shape[:2])
    scaled = np.asarray(Image.fromarray(image).resize((width, height), reducing_gap=2.0))
    # Tiles are filled one by one: all of a thin picture's together may take a gigabyte.
    missing = ((0, max(0, size - height)), (0, max(0, size - width)), (0, 0))
    for top in _tile_starts(height, size):
        for left in _tile_starts(width, size):
            window = scaled[top : top + size, left : left + size]
            yield np.pad(window, missing, mode="edge"), Square(left * pixel, top * pixel, side)


def _tile_starts(length: int, size: int) -> list[int]:
    rest = max(0, length - size)
    return [round(start) for start in np.linspace(0, rest, ceil(rest / (0.75 * size)) + 1)]


def _covered(start: float, side: float, length: int, size: int) -> tuple[int, int]:
    """Return the range of window pixels, along one axis, that lie completely inside the picture.

    If there is none, because the picture is thinner than two of them, the one in its middle.
    """
    first = ceil(max(0.0, -start) * size / side)
    last = size - ceil(max(0.0, start + side - length) * size / side)
    if first < last:
        return first, last
    middle = (max(0.0, start) + min(length, start + side)) / 2
    first = floor((middle - start) * size / side)
    return first, first + 1
