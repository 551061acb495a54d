import struct
import subprocess
import sys
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from models.errors import (
    FaceCutOff,
    FaceTooSmall,
    FaceTurnedAway,
    NoFace,
    PortraitTooManyPixels,
    PortraitTooSmall,
    PortraitUnreadable,
)
from models.face.landmarks import LEFT_EYE, RIGHT_EYE, eye_midpoint, lean
from models.face.portrait import (
    FACE_ON_ITS_SIDE,
    SEVERAL_FACES,
    crop_portrait,
    head_turn,
    read_portrait,
)
from tests.media import face_landmarks

EXAMPLE = Path(__file__).parents[4] / "examples" / "portrait.jpg"


def picture(width: int = 96, height: int = 80) -> Image.Image:
    """Return a picture whose four corners differ."""
    y, x = np.mgrid[:height, :width]
    channels = (x * 255 // width, y * 255 // height, (x + y) * 255 // (width + height))
    return Image.fromarray(np.stack(channels, axis=-1).astype(np.uint8))


def encoded(image: Image.Image, format: str = "PNG", **options: Any) -> bytes:
    file = BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def png_that_claims(width: int, height: int) -> bytes:
    """Write a PNG of a few bytes whose header promises a huge picture."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(b"\x00" * 64)
    chunks = ((b"IHDR", header), (b"IDAT", data), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in chunks
    )


class FakeDetector:
    """Finds given faces, or what a rule says of the picture it is shown."""

    def __init__(self, *faces: NDArray[np.float32]) -> None:
        self.faces = list(faces)

    def detect(self, image: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        return self.faces


class DetectorOfUprightPictures:
    """Finds one face, and only where the brightest corner is at the top left."""

    def detect(self, image: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        return [face_landmarks(100, 120, 40)] if image[0, 0, 0] == 255 else []


class Turning:
    """Finds a given face, and where it lies after the picture was turned by a quarter."""

    def __init__(self, face: NDArray[np.float32]) -> None:
        self.answers = [face, turned_by_a_quarter(face)]

    def detect(self, image: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        return [self.answers.pop(0)]


def turned_by_a_quarter(face: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a leaning face in a 256 px picture after the quarter turn that lessens its lean."""
    x, y = face.T
    return np.stack((y, 256 - x) if lean(face) > 0 else (256 - y, x), axis=-1)


BLANK = np.zeros((256, 256, 3), np.uint8)


@pytest.mark.parametrize(
    ("format", "options"), [("PNG", {}), ("WEBP", {"lossless": True}), ("JPEG", {"quality": 95})]
)
def test_accepted_formats_give_their_pixels(format: str, options: dict[str, Any]) -> None:
    image = read_portrait(encoded(picture(), format, **options))
    assert image.dtype == np.uint8
    np.testing.assert_allclose(image, np.asarray(picture()), atol=0 if format != "JPEG" else 12)


def test_bytes_and_a_path_give_the_same_picture() -> None:
    np.testing.assert_array_equal(read_portrait(EXAMPLE), read_portrait(EXAMPLE.read_bytes()))


def test_a_missing_file_is_no_fault_of_the_callers_picture(tmp_path: Path) -> None:
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
def test_a_picture_cut_short_is_unreadable(format: str, keep: float) -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (80, 80, 3), np.uint8))
    file = encoded(noise, format)
    with pytest.raises(PortraitUnreadable, match="a whole JPEG, PNG or WEBP"):
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
def test_what_is_no_accepted_picture_is_unreadable(file: bytes) -> None:
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
        "import sys; from models.face.portrait import read_portrait; "
        "sys.exit(bool({'torch', 'mediapipe', 'cv2', 'scipy'} & sys.modules.keys()))"
    )
    subprocess.run([sys.executable, "-c", check], check=True, cwd=EXAMPLE.parents[1])


def test_the_crop_holds_the_face_where_the_training_clips_do() -> None:
    image = np.zeros((400, 500, 3), np.uint8)
    portrait = crop_portrait(image, FakeDetector(face_landmarks(260, 190, 50)))
    eyes = [portrait.landmarks[eye].mean(0) for eye in (LEFT_EYE, RIGHT_EYE)]
    assert portrait.crop.shape == (256, 256, 3)
    assert np.linalg.norm(eyes[1] - eyes[0]) == pytest.approx(62.4, abs=0.2)
    np.testing.assert_allclose((eyes[0] + eyes[1]) / 2, (128, 103), atol=1)
    np.testing.assert_allclose(portrait.box, (158, 108, 205, 0), atol=1)
    assert portrait.notices == ()


def test_landmarks_and_pixels_move_together_also_beyond_the_edge() -> None:
    image = np.zeros((256, 256, 3), np.uint8)
    face = face_landmarks(60, 90, 40)
    x, y = face[30].round().astype(int)
    image[y - 1 : y + 1, x - 1 : x + 1] = 255
    portrait = crop_portrait(image, FakeDetector(face))
    assert portrait.box.left < 0
    rows, columns = np.nonzero(portrait.crop[..., 0] > 100)
    np.testing.assert_allclose((columns.mean(), rows.mean()), portrait.landmarks[30], atol=1.2)


def test_the_picture_edge_is_repeated_where_the_crop_leaves_it() -> None:
    image = np.full((256, 256, 3), (200, 100, 50), np.uint8)
    portrait = crop_portrait(image, FakeDetector(face_landmarks(60, 60, 40)))
    assert (portrait.crop == (200, 100, 50)).all()


def test_of_several_faces_the_largest_is_taken_and_told() -> None:
    large, small = face_landmarks(80, 120, 40), face_landmarks(200, 120, 25)
    portrait = crop_portrait(BLANK, FakeDetector(large, small))
    assert portrait.notices == (SEVERAL_FACES,)
    np.testing.assert_array_equal(portrait.box, crop_portrait(BLANK, FakeDetector(large)).box)


def test_a_picture_without_a_face_is_refused() -> None:
    with pytest.raises(NoFace, match="No face was found"):
        crop_portrait(BLANK, FakeDetector())


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_head_on_its_side_is_found_and_the_picture_stays_as_it_was(turns: int) -> None:
    image = np.zeros((256, 200, 3), np.uint8)
    image[0, 0] = 255
    upright = crop_portrait(image, DetectorOfUprightPictures())
    given = np.ascontiguousarray(np.rot90(image, turns))
    portrait = crop_portrait(given, DetectorOfUprightPictures())
    np.testing.assert_array_equal(portrait.image, given)
    assert portrait.notices == (FACE_ON_ITS_SIDE,)
    assert abs(portrait.box.angle) == pytest.approx((90, 180, 90)[turns - 1], abs=0.1)
    np.testing.assert_allclose(portrait.landmarks, upright.landmarks, atol=2)


@pytest.mark.parametrize("roll", [-75, -44, -20, 20, 46, 75])
def test_the_crop_turns_with_the_head(roll: float) -> None:
    face = face_landmarks(128, 128, 30, roll=roll)
    portrait = crop_portrait(BLANK, FakeDetector(face) if abs(roll) < 45 else Turning(face))
    assert portrait.box.angle == pytest.approx(roll, abs=0.1)
    assert lean(portrait.landmarks) == pytest.approx(0, abs=0.01)
    np.testing.assert_allclose(eye_midpoint(portrait.landmarks), (128, 103), atol=1.5)
    np.testing.assert_allclose(portrait.box.to_picture(portrait.landmarks, 256), face, atol=1e-3)


def test_a_slight_lean_is_left_to_the_networks() -> None:
    assert crop_portrait(BLANK, FakeDetector(face_landmarks(128, 128, 30, roll=7))).box.angle == 0


def test_a_face_alone_is_shown_upright_and_within_the_picture() -> None:
    centred = crop_portrait(BLANK, FakeDetector(face_landmarks(128, 128, 30)))
    assert centred.view == centred.box
    leaning = crop_portrait(BLANK, FakeDetector(face_landmarks(128, 128, 30, roll=30)))
    assert leaning.view == (*leaning.box[:3], 0)
    aside = crop_portrait(BLANK, FakeDetector(face_landmarks(60, 120, 40)))
    assert aside.box.left < 0
    assert aside.view == (0, aside.box.top, aside.box.side, 0)
    filling = crop_portrait(BLANK[:, :150], FakeDetector(face_landmarks(75, 100, 60)))
    assert filling.view.side == 150
    assert filling.view.left == 0


def test_a_small_face_is_refused() -> None:
    with pytest.raises(FaceTooSmall, match="23 pixels between its eyes; at least 24"):
        crop_portrait(BLANK, FakeDetector(face_landmarks(128, 128, 23)))
    crop_portrait(BLANK, FakeDetector(face_landmarks(128, 128, 24.5)))


@pytest.mark.parametrize(("x", "y"), [(20, 128), (240, 128), (128, 5), (128, 240)])
def test_a_face_that_the_edge_cuts_is_refused(x: float, y: float) -> None:
    with pytest.raises(FaceCutOff, match="edge cuts through the face"):
        crop_portrait(BLANK, FakeDetector(face_landmarks(x, y, 40)))


def test_brows_beyond_the_edge_are_cut_off_and_a_jaw_a_little_beyond_is_not() -> None:
    with pytest.raises(FaceCutOff):
        crop_portrait(BLANK, FakeDetector(face_landmarks(128, 14, 40)))
    crop_portrait(BLANK, FakeDetector(face_landmarks(128, 256 - 66, 40)))


def test_a_cut_hairline_is_accepted() -> None:
    crop_portrait(BLANK, FakeDetector(face_landmarks(128, 24, 40)))


@pytest.mark.parametrize("yaw", [-43, -20, 0, 20, 43])
def test_up_to_a_three_quarter_view_is_accepted(yaw: float) -> None:
    crop_portrait(BLANK, FakeDetector(face_landmarks(128, 128, 40, yaw=yaw)))


@pytest.mark.parametrize("angles", [(50, 0), (-50, 0), (85, 0), (0, 55), (0, -55)])
def test_a_face_turned_away_is_refused(angles: tuple[float, float]) -> None:
    yaw, pitch = angles
    with pytest.raises(FaceTurnedAway, match="degrees"):
        crop_portrait(BLANK, FakeDetector(face_landmarks(128, 128, 60, yaw=yaw, pitch=pitch)))


@pytest.mark.parametrize("yaw", [-60, -30, 0, 30, 60])
@pytest.mark.parametrize("roll", [0, 25])
def test_yaw_is_read_off_the_landmarks_whatever_the_roll(yaw: float, roll: float) -> None:
    estimate, _ = head_turn(face_landmarks(128, 128, 40, yaw=yaw, roll=roll))
    assert estimate == pytest.approx(yaw, abs=8)


@pytest.mark.parametrize("pitch", [-40, -20, 0, 20, 40])
def test_pitch_is_read_off_the_landmarks(pitch: float) -> None:
    _, estimate = head_turn(face_landmarks(128, 128, 40, pitch=pitch))
    assert estimate == pytest.approx(pitch, abs=10)
