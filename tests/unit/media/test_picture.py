import struct
import subprocess
import sys
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from media.errors import NoFace, PortraitTooManyPixels, PortraitTooSmall, PortraitUnreadable
from media.notices import Notice
from media.picture import explaining_animation, read_picture, read_portrait
from media.sandbox.rehearsal import AVIF, HEIC

EXAMPLE = Path(__file__).parents[3] / "examples" / "portrait.jpg"


def picture(width: int = 96, height: int = 80) -> Image.Image:
    """Return a picture with four different corners."""
    y, x = np.mgrid[:height, :width]
    channels = (x * 255 // width, y * 255 // height, (x + y) * 255 // (width + height))
    return Image.fromarray(np.stack(channels, axis=-1).astype(np.uint8))


def encoded(image: Image.Image, format: str = "PNG", **options: Any) -> bytes:
    file = BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def png_that_claims(width: int, height: int) -> bytes:
    """Write a PNG of a few bytes whose header claims a huge picture."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(b"\x00" * 64)
    chunks = ((b"IHDR", header), (b"IDAT", data), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in chunks
    )


def animated(format: str) -> bytes:
    """Return an animation of two pictures."""
    return encoded(picture(), format, save_all=True, append_images=[picture().rotate(90)])


@pytest.mark.parametrize(
    ("format", "options"), [("PNG", {}), ("WEBP", {"lossless": True}), ("JPEG", {"quality": 95})]
)
def test_accepted_formats_give_their_pixels(format: str, options: dict[str, Any]) -> None:
    image = read_portrait(encoded(picture(), format, **options))
    assert image.dtype == np.uint8
    np.testing.assert_allclose(image, np.asarray(picture()), atol=0 if format != "JPEG" else 12)


def test_bytes_and_a_path_give_the_same_picture() -> None:
    np.testing.assert_array_equal(read_portrait(EXAMPLE), read_portrait(EXAMPLE.read_bytes()))


def test_a_missing_file_is_not_an_unreadable_picture(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_portrait(tmp_path / "gone.png")


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["PNG", "WEBP"])
def test_every_exif_orientation_is_turned_upright(format: str, orientation: int) -> None:
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = picture() if orientation == 1 else picture().transpose(undo[orientation])
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if format == "WEBP" else {}
    image = read_portrait(encoded(stored, format, exif=exif, **options))
    np.testing.assert_array_equal(image, np.asarray(picture()))


def test_a_garbage_exif_block_leaves_the_pixels_as_they_lie() -> None:
    file = encoded(picture(), exif=b"Exif\x00\x00garbage")
    np.testing.assert_array_equal(read_portrait(file), np.asarray(picture()))


def test_transparency_becomes_white() -> None:
    rgba = picture().convert("RGBA")
    rgba.putalpha(Image.new("L", rgba.size, 0))
    assert (read_portrait(encoded(rgba)) == 255).all()
    palette = Image.new("P", (80, 80), 0)
    assert (read_portrait(encoded(palette, transparency=0)) == 255).all()


def test_sixteen_bit_grey_is_scaled_and_not_clipped() -> None:
    grey = np.linspace(0, 65535, 80 * 80).reshape(80, 80).astype(np.uint16)
    image = read_portrait(encoded(Image.fromarray(grey)))
    np.testing.assert_array_equal(image[..., 0], grey >> 8)


@pytest.mark.parametrize(
    ("mode", "format"), [("1", "PNG"), ("L", "PNG"), ("P", "PNG"), ("LA", "PNG"), ("CMYK", "JPEG")]
)
def test_every_colour_mode_becomes_rgb(mode: str, format: str) -> None:
    image = read_portrait(encoded(picture().convert(mode), format))
    assert image.shape == (80, 96, 3)
    brightness = np.asarray(picture().convert("L")).mean()
    assert image.mean() == pytest.approx(brightness, abs=12)


@pytest.mark.parametrize("format", ["PNG", "WEBP", "JPEG"])
@pytest.mark.parametrize("keep", [0.01, 0.3, 0.95])
def test_a_truncated_picture_is_unreadable(format: str, keep: float) -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (80, 80, 3), np.uint8))
    file = encoded(noise, format)
    with pytest.raises(PortraitUnreadable, match=r"damaged or .*a complete JPEG, PNG"):
        read_portrait(file[: int(len(file) * keep)])


@pytest.mark.parametrize(
    "file",
    [
        b"",
        b"\x00" * 200,
        b"<svg xmlns='http://www.w3.org/2000/svg' width='99' height='99'/>",
        encoded(picture(), "GIF"),
        encoded(picture(), "BMP"),
        encoded(picture(), "TIFF"),
        b"\xff\xd8\xff\xe0 no jpeg",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 99 99\n",
    ],
    ids=["empty", "zeros", "svg", "gif", "bmp", "tiff", "fake-jpeg", "eps"],
)
def test_an_unsupported_picture_is_unreadable(file: bytes) -> None:
    with pytest.raises(PortraitUnreadable):
        read_portrait(file)


@pytest.mark.parametrize("format", ["PNG", "WEBP", "JPEG"])
def test_flipped_bits_give_a_picture_or_a_portrait_error(format: str) -> None:
    file = encoded(picture(), format)
    random = np.random.default_rng(5)
    for _ in range(60):
        damaged = bytearray(file)
        for position in random.integers(0, len(file), 6):
            damaged[position] ^= 1 << random.integers(8)
        try:
            image = read_portrait(bytes(damaged))
        except (PortraitUnreadable, PortraitTooManyPixels, PortraitTooSmall):
            continue
        assert image.ndim == 3


@pytest.mark.parametrize("side", [7_100, 12_000, 60_000])
def test_a_picture_of_too_many_pixels_is_refused_by_its_header(side: int) -> None:
    with pytest.raises(PortraitTooManyPixels, match="50,000,000"):
        read_portrait(png_that_claims(side, side))


def test_a_tiny_picture_is_too_small() -> None:
    with pytest.raises(PortraitTooSmall, match="63 x 400 pixels; at least 64 x 64"):
        read_portrait(encoded(picture(63, 400)))


def test_reading_a_portrait_needs_neither_torch_nor_mediapipe() -> None:
    check = (
        "import sys; from media.picture import read_portrait; "
        "sys.exit(bool({'torch', 'mediapipe', 'cv2', 'scipy'} & sys.modules.keys()))"
    )
    subprocess.run([sys.executable, "-c", check], check=True, cwd=EXAMPLE.parents[1])


def swapped_profile() -> bytes:
    """Return sRGB's profile with red and blue exchanged."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return profile.replace(b"rXYZ", b"????").replace(b"bXYZ", b"rXYZ").replace(b"????", b"bXYZ")


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
def test_an_embedded_colour_profile_is_applied(mode: str) -> None:
    colours = picture().convert(mode)
    read = read_picture(encoded(colours, icc_profile=swapped_profile()))
    expected = np.asarray(colours.convert("RGB"))[..., ::-1]
    np.testing.assert_allclose(read.pixels, expected, atol=2)
    assert read.notices == ()


def test_an_srgb_profile_changes_nothing() -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    read = read_picture(encoded(picture(), icc_profile=srgb))
    np.testing.assert_allclose(read.pixels, np.asarray(picture()), atol=1)


@pytest.mark.parametrize("mode", ["RGB", "L", "LA", "RGBA"])
def test_a_broken_profile_is_ignored_with_a_notice(mode: str) -> None:
    colours = picture().convert(mode)
    read = read_picture(encoded(colours, icc_profile=b"no profile" * 20))
    np.testing.assert_array_equal(read.pixels, read_portrait(encoded(colours)))
    assert read.notices == (Notice.COLOUR_PROFILE_IGNORED,)


def test_heic_and_avif_are_read() -> None:
    for file in (HEIC, AVIF):
        image = read_portrait(file)
        assert image.shape == (64, 64, 3)
        np.testing.assert_allclose(image.mean((0, 1)), (120, 90, 80), atol=4)


@pytest.mark.parametrize("format", ["PNG", "WEBP"])
def test_of_an_animation_that_fades_in_a_clear_picture_is_used(format: str) -> None:
    steps = [picture().point(lambda level, share=share: int(level * share)) for share in (0.2, 1)]
    black = Image.new("RGB", steps[0].size)
    options: dict[str, Any] = {"lossless": True} if format == "WEBP" else {"default_image": True}
    file = encoded(black, format, save_all=True, append_images=[black, *steps], **options)
    read = read_picture(file)
    np.testing.assert_array_equal(read.pixels, np.asarray(picture()))
    assert read.notices == (Notice.STILL_USED,)


@pytest.mark.parametrize(
    ("file", "words"),
    [
        (encoded(picture(), "GIF"), "is a GIF picture, which is not supported"),
        (encoded(picture(), "TIFF"), "is a TIFF or camera raw picture"),
        (encoded(picture(), "BMP"), "is a BMP picture"),
        (b" <!DOCTYPE html><html>", "is a web page; if it came from a URL"),
        (b"%PDF-1.7", "is a PDF document"),
        (encoded(picture(), "JPEG")[:300], "is damaged or incomplete"),
        (b"", "is empty"),
        (animated("WEBP")[:60], "is an animated WEBP picture, and damaged or incomplete"),
        (animated("PNG").partition(b"IDAT")[0], "is an animated PNG picture, and damaged"),
        (animated("AVIF")[:300], "is an animated AVIF picture, and damaged"),
    ],
)
def test_the_error_names_the_given_format(file: bytes, words: str) -> None:
    with pytest.raises(PortraitUnreadable, match=words):
        read_portrait(file)


@pytest.mark.parametrize("format", ["PNG", "WEBP", "AVIF"])
def test_an_error_about_a_face_mentions_that_the_file_is_an_animation(format: str) -> None:
    file = animated(format)
    read_picture(file)
    sentences = rf"No face\. The file is an animated {format} picture, .* send a still picture\.$"
    with pytest.raises(NoFace, match=sentences), explaining_animation(file):
        raise NoFace("No face.")
    with (
        pytest.raises(NoFace, match=r"No face\.$"),
        explaining_animation(encoded(picture(), format)),
    ):
        raise NoFace("No face.")
