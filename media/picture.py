"""Reads untrusted pictures: decodes them to upright sRGB and checks their size and format."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import AvifImagePlugin, ExifTags, Image, ImageCms

from media.accepted import PICTURES, listed
from media.errors import (
    PortraitError,
    PortraitTooManyPixels,
    PortraitTooSmall,
    PortraitUnreadable,
)
from media.formats import describe_given, with_animation
from media.heic import HeicPicture, is_heic
from media.notices import Notice

MAX_PIXELS = 50_000_000
MIN_SIDE = 64
"""Pixels."""

ACCEPTED_PICTURE = f"a complete {listed(PICTURES)} picture"

_FORMATS = ("JPEG", "PNG", "WEBP", "AVIF")
_ACCEPTED_NAMES = frozenset(
    {"a JPEG picture", "a PNG picture", "a WEBP picture", "a HEIC picture", "an AVIF picture"}
)
_HEAD = 4096
"""Bytes in which a format shows, and whether it is an animation."""
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

_ANIMATED = ("PNG", "WEBP", "AVIF")
"""Formats in which several pictures are an animation; in others, the first one is the main one."""
_MAX_LOOKS = 48
_MAX_LOOKED_AT = 2 * MAX_PIXELS
"""Pixels of an animation that are decoded to choose one of its pictures."""
_CLEAR = 0.8
"""Contrast of the chosen picture, relative to the one with the most."""

# The sandbox for untrusted files does not allow threads.
AvifImagePlugin.DEFAULT_MAX_THREADS = 1


@dataclass(frozen=True, eq=False)
class Picture:
    """A decoded picture.

    Attributes:
        pixels: upright sRGB `[H, W, 3]`.
        notices: what was done with the file, if it was not the obvious.
    """

    pixels: NDArray[np.uint8]
    notices: tuple[Notice, ...] = ()


@dataclass(frozen=True)
class PictureProperties:
    """What is known about a picture without its pixels: its size upright, and its notices."""

    width: int
    height: int
    notices: tuple[Notice, ...] = ()


def read_portrait(source: bytes | Path) -> NDArray[np.uint8]:
    """Decode a picture like `read_picture`, to its pixels `[H, W, 3]` alone."""
    return read_picture(source).pixels


def read_picture(source: bytes | Path) -> Picture:
    """Decode a JPEG, PNG, WEBP, HEIC or AVIF picture to upright sRGB, transparency on white.

    An embedded colour profile is applied. Of an animation, the first clear picture is used. The
    size is checked before any pixel is decoded.

    Raises:
        PortraitUnreadable, PortraitTooManyPixels, PortraitTooSmall.
    """
    content = source if isinstance(source, bytes) else source.read_bytes()
    try:
        return _read(content)
    except (PortraitError, MemoryError):
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise PortraitTooManyPixels(
            f"The picture has far too many pixels; up to {MAX_PIXELS:,} are accepted."
        ) from error
    # Pillow's decoders raise a dozen kinds of errors for damaged files.
    except Exception as error:
        given = describe_given(content[:_HEAD], _ACCEPTED_NAMES)
        raise PortraitUnreadable(f"The picture {given}; {ACCEPTED_PICTURE} is required.") from error


@contextmanager
def explaining_animation(file: bytes) -> Iterator[None]:
    """Add to whatever is wrong with a picture's face that its file is an animation, if it is one.

    Raises:
        PortraitError: the one that was raised within.
    """
    try:
        yield
    except PortraitError as error:
        error.args = (with_animation(str(error), file),)
        raise


def _read(content: bytes) -> Picture:
    notices: list[Notice] = []
    # No variable holds a picture longer than it is needed: it may take hundreds of megabytes.
    return Picture(np.array(_flatten(_decode(content, notices))), tuple(notices))


def _decode(content: bytes, notices: list[Notice]) -> Image.Image:
    """Return the upright picture in sRGB, of any mode, and add to the notices."""
    if is_heic(content):
        picture, profile = _decode_heic(content)
    else:
        picture = _open(content)
        if picture.format in _ANIMATED and getattr(picture, "n_frames", 1) > 1:
            picture.seek(_clear_still(_open(content)))
            notices.append(Notice.STILL_USED)
        profile = picture.info.get("icc_profile")
        picture = _turn_upright(picture)
    if not profile:
        return picture
    try:
        return _to_srgb(picture, profile)
    except (ImageCms.PyCMSError, OSError, ValueError):
        notices.append(Notice.COLOUR_PROFILE_IGNORED)
        return picture


def _decode_heic(content: bytes) -> tuple[Image.Image, bytes | None]:
    """Return the upright picture and its colour profile."""
    heic = HeicPicture(content)
    _check_size(*heic.size)
    return heic.decode(), heic.icc_profile


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
        orientation = picture.getexif().get(ExifTags.Base.Orientation, 1)
    except SyntaxError:
        # Invalid EXIF data does not affect the pixels.
        orientation = 1
    transpose = _UPRIGHT.get(orientation)
    return picture if transpose is None else picture.transpose(transpose)


def _clear_still(animation: Image.Image) -> int:
    """Return the number of the first picture that shows something: many fade in from black."""
    first = int(getattr(animation, "default_image", False))  # an APNG's is not part of it
    looks = max(1, min(_MAX_LOOKS, _MAX_LOOKED_AT // (animation.width * animation.height)))
    numbers = range(first, min(animation.n_frames, first + looks))  # type: ignore[attr-defined]
    contrasts = []
    with suppress(EOFError, SyntaxError, OSError):  # fewer pictures than it claims
        for number in numbers:
            animation.seek(number)
            contrasts.append(_contrast(animation))
    clear = _CLEAR * max(contrasts, default=0.0)
    looked_at = zip(numbers, contrasts, strict=False)
    return next((number for number, contrast in looked_at if contrast >= clear), 0)


def _contrast(picture: Image.Image) -> float:
    small = _flatten(picture.convert("RGBA").reduce(max(1, min(picture.size) // MIN_SIDE)))
    return float(np.asarray(small.convert("L")).std())


def _to_srgb(picture: Image.Image, profile: bytes) -> Image.Image:
    """Convert from an embedded ICC profile to sRGB.

    Raises:
        ImageCms.PyCMSError, OSError, ValueError: the profile is damaged, or for other colours.
    """
    if picture.mode in ("P", "PA"):
        picture = picture.convert("RGBA" if picture.has_transparency_data else "RGB")
    if picture.mode.startswith("I"):
        return picture
    return (
        ImageCms.profileToProfile(
            picture,
            ImageCms.ImageCmsProfile(BytesIO(profile)),
            ImageCms.createProfile("sRGB"),
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            outputMode="RGBA" if picture.mode == "RGBA" else "RGB",
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
        or picture
    )


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
