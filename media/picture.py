"""Reads untrusted pictures: decodes them to upright RGB and checks their size and format."""

from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from media.errors import (
    PortraitError,
    PortraitTooManyPixels,
    PortraitTooSmall,
    PortraitUnreadable,
)

MAX_PIXELS = 50_000_000
MIN_SIDE = 64
"""Pixels."""

_FORMATS = ("JPEG", "PNG", "WEBP")
_ORIENTATION_TAG = 0x0112
# EXIF 2.32, table 6: the transformation that undoes each orientation.
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def read_portrait(source: bytes | Path) -> NDArray[np.uint8]:
    """Decode a JPEG, PNG or WEBP picture to upright RGB `[H, W, 3]`, transparency on white.

    Of an animation, the first picture is used. The size is checked before any pixel is decoded.

    Raises:
        PortraitUnreadable, PortraitTooManyPixels, PortraitTooSmall.
    """
    content = source if isinstance(source, bytes) else source.read_bytes()
    try:
        return np.array(_flatten(_turn_upright(_open(content))))
    except (PortraitError, MemoryError):
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise PortraitTooManyPixels(
            f"The picture has far too many pixels; up to {MAX_PIXELS:,} are accepted."
        ) from error
    # Pillow's decoders raise a dozen kinds of errors for damaged files.
    except Exception as error:
        raise PortraitUnreadable(
            "The picture is damaged, truncated or in an unsupported format, whatever its "
            "name says; a complete JPEG, PNG or WEBP picture is required."
        ) from error


def _open(content: bytes) -> Image.Image:
    file = Image.open(BytesIO(content), formats=_FORMATS)
    _check_size(*file.size)
    return file


def _check_size(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise PortraitTooManyPixels(
            f"The picture has {width} x {height} pixels; up to {MAX_PIXELS:,} in total are "
            "accepted."
        )
    if min(width, height) < MIN_SIDE:
        raise PortraitTooSmall(
            f"The picture has {width} x {height} pixels; at least {MIN_SIDE} x {MIN_SIDE} are "
            "required."
        )


def _turn_upright(picture: Image.Image) -> Image.Image:
    picture.load()
    try:
        orientation = picture.getexif().get(_ORIENTATION_TAG, 1)
    except SyntaxError:
        # Invalid EXIF data does not affect the pixels.
        orientation = 1
    transpose = _UPRIGHT.get(orientation)
    return picture if transpose is None else picture.transpose(transpose)


def _flatten(picture: Image.Image) -> Image.Image:
    """Convert any mode to RGB, with white where the picture is transparent.

    Each step releases the previous picture, which may take hundreds of megabytes.
    """
    if picture.mode.startswith("I"):
        # 16 bits per pixel, which Pillow would clip instead of scaling.
        return Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8)).convert("RGB")
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    picture = picture.convert("RGBA")
    picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    return picture.convert("RGB")
