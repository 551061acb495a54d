import numpy as np
import pytest
from numpy.typing import NDArray

from media.faces.inspection import Box, Inspection, inspect_picture
from media.faces.portrait import SEVERAL_FACES
from media.faces.selection import LARGEST
from media.notices import Notice
from media.picture import Picture
from tests.fakes.detector import Face, FakeDetector
from tests.media import face_landmarks

LEFT, MIDDLE, RIGHT = (
    face_landmarks(100, 150, 30),
    face_landmarks(300, 150, 40),
    face_landmarks(500, 150, 20),
)
PICTURE = Picture(np.zeros((300, 600, 3), np.uint8), (Notice.STILL_USED,))


def inspect(*faces: NDArray[np.float32], choice: str = LARGEST) -> Inspection:
    return inspect_picture(PICTURE, FakeDetector(*faces), choice)


def test_the_faces_are_counted_from_the_left_and_the_largest_would_speak() -> None:
    found = inspect(MIDDLE, LEFT, RIGHT)
    assert (found.width, found.height, found.speaker, found.refusal) == (600, 300, 2, None)
    assert found.notices == (Notice.STILL_USED, SEVERAL_FACES)
    assert found.faces
    assert [face.interocular for face in found.faces] == pytest.approx([30, 40, 20], abs=0.2)
    refused = [face.refusal and face.refusal.code for face in found.faces]
    assert refused == [None, None, "face_too_small"]


def test_a_face_is_described_in_pixels_of_the_picture() -> None:
    [face] = inspect(LEFT).faces or ()
    (left, top), (right, bottom) = LEFT.min(axis=0), LEFT.max(axis=0)
    assert face.box == Box(
        *(round(float(each), 1) for each in (left, top, right - left, bottom - top))
    )
    assert face.crop.width == face.crop.height == round(4.1 * 30)
    assert face.crop.left <= face.box.left


@pytest.mark.parametrize(
    ("faces", "choice", "code", "count"),
    [
        ((), LARGEST, "no_face", None),
        ((RIGHT,), LARGEST, "face_too_small", 1),
        ((MIDDLE, LEFT), "3", "face_not_found", 2),
        ((face_landmarks(10, 150, 40),), LARGEST, "face_cut_off", 1),
        ((face_landmarks(300, 150, 40, yaw=80),), LARGEST, "face_turned_away", 1),
    ],
)
def test_a_picture_is_refused_as_a_job_would_be(
    faces: tuple[NDArray[np.float32], ...], choice: str, code: str, count: int | None
) -> None:
    found = inspect(*faces, choice=choice)
    assert found.refusal
    assert found.refusal.code == code
    assert len(found.faces or ()) == (count or 0)


@pytest.mark.parametrize(
    ("widths", "count", "looks_at_the_whole"), [((1024, 4096), 1, 1), ((4096,), 1, 1), ((), 0, 1)]
)
def test_a_large_picture_is_searched_whole_at_most_once(
    widths: tuple[int, ...], count: int, looks_at_the_whole: int
) -> None:
    looked_at = []

    def look(image: NDArray[np.uint8]) -> list[Face]:
        looked_at.append(image.shape[1])
        return [LEFT] if image.shape[1] in widths else []

    large = Picture(np.zeros((2048, 4096, 3), np.uint8))
    found = inspect_picture(large, FakeDetector(look=look), LARGEST)
    assert len(found.faces or ()) == count
    assert (found.refusal is None) == (count > 0)
    assert looked_at.count(4096) == looks_at_the_whole


def test_the_chosen_face_is_the_one_that_counts() -> None:
    found = inspect(MIDDLE, RIGHT, choice="2")
    assert (found.speaker, found.notices) == (2, (Notice.STILL_USED,))
    assert found.refusal
    assert found.refusal.code == "face_too_small"
