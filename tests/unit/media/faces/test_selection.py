import pytest

from media.errors import FaceNotFound
from media.faces.selection import select_face
from tests.media import face_landmarks

LARGE, LEFT, RIGHT = (
    face_landmarks(200, 120, 40),
    face_landmarks(60, 140, 25),
    face_landmarks(330, 100, 30),
)
FACES = [LARGE, RIGHT, LEFT]


def chosen(choice: str) -> str:
    (name,) = (
        name
        for name, face in {"large": LARGE, "left": LEFT, "right": RIGHT}.items()
        if select_face(FACES, choice) is face
    )
    return name


def test_the_largest_face_is_the_default_and_numbers_count_from_the_left() -> None:
    assert chosen("largest") == "large"
    assert [chosen("1"), chosen("2"), chosen("3")] == ["left", "large", "right"]


def test_a_point_chooses_the_face_it_lies_on() -> None:
    assert [chosen("70,180"), chosen("190,90"), chosen("330,100")] == ["left", "large", "right"]


def test_a_number_beyond_the_last_face_is_refused() -> None:
    with pytest.raises(FaceNotFound, match="Face 4 was chosen, but 3 faces were found"):
        select_face(FACES, "4")
    with pytest.raises(FaceNotFound, match="Face 2 was chosen, but 1 face was found"):
        select_face([LARGE], "2")


def test_a_point_beside_every_face_is_refused_and_the_eyes_are_named() -> None:
    with pytest.raises(FaceNotFound, match=r"no face at 10,350; .* eyes at 60,140; 200,120; 330"):
        select_face(FACES, "10,350")
