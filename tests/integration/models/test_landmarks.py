import os
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from media.errors import FaceCutOff, FaceTooSmall, NoFace
from media.faces.landmarks import BROWS, MOUTH, LandmarkDetector, eye_midpoint, interocular, lean
from media.faces.portrait import FACE_ON_ITS_SIDE, SEVERAL_FACES, crop_portrait
from media.geometry import rotation
from media.picture import read_portrait

EXAMPLE = Path(__file__).parents[3] / "examples" / "portrait.jpg"
EYES = (225, 103)
"""Halfway between the example's eyes, located by eye; they are 44 pixels apart."""


@pytest.fixture(scope="module")
def detector() -> Iterator[LandmarkDetector]:
    with LandmarkDetector() as detector:
        yield detector


@pytest.fixture(scope="module")
def portrait() -> NDArray[np.uint8]:
    return read_portrait(EXAMPLE)


def canvas(height: int, width: int) -> NDArray[np.uint8]:
    """Return a smooth background without anything like a face."""
    y, x = np.mgrid[:height, :width]
    shade = 128 + 50 * np.sin(x / 97) * np.cos(y / 61)
    return np.repeat(shade[..., None], 3, axis=-1).astype(np.uint8)


def paste(
    background: NDArray[np.uint8], picture: NDArray[np.uint8], x: int, y: int, side: int
) -> None:
    small = Image.fromarray(picture).resize((side, side), Image.Resampling.LANCZOS)
    background[y : y + side, x : x + side] = np.asarray(small)


def test_the_examples_face_is_found_where_it_is(
    detector: LandmarkDetector, portrait: NDArray[np.uint8]
) -> None:
    (face,) = detector.detect(portrait)
    np.testing.assert_allclose(eye_midpoint(face), EYES, atol=4)
    assert interocular(face) == pytest.approx(44, abs=3)


def test_the_silhouette_holds_the_face_and_the_hair_and_not_the_background(
    detector: LandmarkDetector, portrait: NDArray[np.uint8]
) -> None:
    cropped = crop_portrait(portrait, detector)
    silhouette = detector.silhouette(cropped.crop)
    x, y = cropped.landmarks[BROWS.start : MOUTH.stop].round().astype(int).T
    assert silhouette[y, x].min() > 0.9
    assert silhouette[20, 128] > 0.9  # hair
    assert silhouette[20:100, :10].max() < 0.1


def test_the_same_picture_gives_the_same_landmarks(
    detector: LandmarkDetector, portrait: NDArray[np.uint8]
) -> None:
    first = detector.detect(portrait)[0]
    detector.detect(canvas(300, 300))
    np.testing.assert_array_equal(detector.detect(portrait)[0], first)


def test_a_picture_without_a_face_gives_none(detector: LandmarkDetector) -> None:
    assert detector.detect(canvas(700, 1100)) == []
    with pytest.raises(NoFace):
        crop_portrait(canvas(300, 200), detector)


@pytest.mark.parametrize(("width", "side"), [(1600, 560), (2400, 440), (3600, 330)])
def test_a_small_face_in_a_large_picture_is_found(
    detector: LandmarkDetector, portrait: NDArray[np.uint8], width: int, side: int
) -> None:
    picture = canvas(width * 3 // 4, width)
    paste(picture, portrait, width // 2, width // 5, side)
    (face,) = detector.detect(picture)
    expected = np.array(EYES) * side / 512 + (width // 2, width // 5)
    np.testing.assert_allclose(eye_midpoint(face), expected, atol=4)


def test_faces_come_largest_first(detector: LandmarkDetector, portrait: NDArray[np.uint8]) -> None:
    picture = canvas(700, 1200)
    paste(picture, portrait, 30, 60, 400)
    paste(picture, portrait, 600, 60, 580)
    faces = detector.detect(picture)
    assert len(faces) == 2
    assert interocular(faces[0]) / interocular(faces[1]) == pytest.approx(580 / 400, rel=0.1)
    cropped = crop_portrait(picture, detector)
    assert cropped.notices == (SEVERAL_FACES,)
    assert cropped.box.left > 600
    assert crop_portrait(picture, detector, "1").box.left < 400


def test_every_exif_orientation_gives_the_same_crop(detector: LandmarkDetector) -> None:
    picture = Image.open(EXAMPLE)
    upright = crop_portrait(np.asarray(picture), detector)
    for orientation, stored in (
        (2, Image.Transpose.FLIP_LEFT_RIGHT),
        (3, Image.Transpose.ROTATE_180),
        (4, Image.Transpose.FLIP_TOP_BOTTOM),
        (5, Image.Transpose.TRANSPOSE),
        (6, Image.Transpose.ROTATE_90),
        (7, Image.Transpose.TRANSVERSE),
        (8, Image.Transpose.ROTATE_270),
    ):
        file = BytesIO()
        exif = Image.Exif()
        exif[0x0112] = orientation
        picture.transpose(stored).save(file, "PNG", exif=exif)
        turned = crop_portrait(read_portrait(file.getvalue()), detector)
        np.testing.assert_array_equal(turned.crop, upright.crop)
        np.testing.assert_array_equal(turned.landmarks, upright.landmarks)
        assert turned.notices == ()


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_face_on_its_side_is_cropped_upright(
    detector: LandmarkDetector, portrait: NDArray[np.uint8], turns: int
) -> None:
    upright = crop_portrait(portrait, detector)
    turned = crop_portrait(np.ascontiguousarray(np.rot90(portrait, turns)), detector)
    assert turned.notices == (FACE_ON_ITS_SIDE,)
    straight = upright.landmarks @ rotation(lean(upright.landmarks))
    apart = straight - straight.mean(0) - (turned.landmarks - turned.landmarks.mean(0))
    assert np.linalg.norm(apart, axis=-1).mean() < 2


@pytest.mark.parametrize("angle", [-60, -45, -20, 20, 45, 60])
def test_a_leaning_face_is_tracked_as_an_upright_one(
    detector: LandmarkDetector, portrait: NDArray[np.uint8], angle: float
) -> None:
    upright = crop_portrait(portrait, detector)
    leaning = Image.fromarray(portrait).rotate(-angle, Image.Resampling.BICUBIC, center=EYES)
    found = crop_portrait(np.asarray(leaning), detector)
    assert found.box.angle == pytest.approx(angle + lean(upright.landmarks), abs=3)
    straight = upright.landmarks @ rotation(lean(upright.landmarks))
    apart = straight - straight.mean(0) - (found.landmarks - found.landmarks.mean(0))
    assert np.linalg.norm(apart, axis=-1).mean() < 2


@pytest.mark.parametrize("apart", [1.6, 2.0, 2.6])
@pytest.mark.parametrize("smaller", [0.7, 0.85])
def test_two_heads_side_by_side_keep_their_own_meshes(
    detector: LandmarkDetector, portrait: NDArray[np.uint8], apart: float, smaller: float
) -> None:
    """The mesh of a window with both may fit either."""
    x, y, distance = *EYES, 44
    left, top, right, bottom = x - 75, y - 80, x + 75, y + 100
    head = Image.fromarray(portrait[top:bottom, left:right])
    small = head.resize((round(150 * smaller), round(180 * smaller)), Image.Resampling.LANCZOS)
    picture = Image.fromarray(canvas(420, 560))
    picture.paste(head, (160, 100))
    beside = 160 + 75 + round(apart * distance)
    picture.paste(small, (beside - small.width // 2, 100 + 80 - round(80 * smaller)))
    faces = detector.detect(np.asarray(picture))
    assert [round(float(eye_midpoint(face)[0])) for face in faces] == [
        pytest.approx(235, abs=6),
        pytest.approx(beside, abs=6),
    ]
    assert crop_portrait(np.asarray(picture), detector).notices == (SEVERAL_FACES,)


def test_a_face_with_too_few_pixels_is_distinguished_from_no_face(
    detector: LandmarkDetector, portrait: NDArray[np.uint8]
) -> None:
    picture = canvas(260, 260)
    paste(picture, portrait, 20, 10, 230)
    with pytest.raises(FaceTooSmall):
        crop_portrait(picture, detector)


def test_half_a_face_is_not_animated(
    detector: LandmarkDetector, portrait: NDArray[np.uint8]
) -> None:
    for half in (portrait[:, 225:], portrait[:, :225], portrait[:, 215:]):
        with pytest.raises(FaceCutOff):
            crop_portrait(np.ascontiguousarray(half), detector)
    with pytest.raises(FaceCutOff):
        crop_portrait(np.ascontiguousarray(portrait[:150]), detector)


def test_a_moving_face_is_tracked(detector: LandmarkDetector, portrait: NDArray[np.uint8]) -> None:
    frames = np.stack([np.roll(portrait, 2 * step, axis=1) for step in range(12)])
    track = detector.track(frames)
    assert track.shape == (12, 79, 2)
    assert track.dtype == np.float32
    steps = np.diff(track.mean(1), axis=0)
    np.testing.assert_allclose(steps[2:-2].mean(0), (2, 0), atol=0.3)
    still = detector.detect(portrait)[0]
    np.testing.assert_allclose(track[0], still, atol=4)


def test_a_face_lost_for_a_few_frames_is_interpolated(
    detector: LandmarkDetector, portrait: NDArray[np.uint8]
) -> None:
    frames = np.stack([portrait] * 12)
    frames[4:7] = 0
    track = detector.track(frames)
    np.testing.assert_allclose(track[5], track[0], atol=2)


def test_a_video_that_loses_its_face_is_refused(
    detector: LandmarkDetector, portrait: NDArray[np.uint8]
) -> None:
    frames = np.zeros((12, *portrait.shape), np.uint8)
    with pytest.raises(NoFace, match="first frame"):
        detector.track(frames)
    frames[0] = portrait
    with pytest.raises(NoFace, match=r"1 of the video's 12 frames"):
        detector.track(frames)


def test_mediapipes_known_messages_are_dropped_and_others_pass(
    portrait: NDArray[np.uint8], capfd: pytest.CaptureFixture[str]
) -> None:
    with LandmarkDetector() as detector:
        os.write(2, b"a real message\n")
        detector.detect(portrait)
    assert capfd.readouterr().err == "a real message\n"
