"""Teeth and openings of closed portraits, beside photographs and what was asked for."""

import numpy as np
import pytest
from numpy.typing import NDArray

from models.corpus.clips import mouth_opening
from models.corpus.portraits import held_out_people
from models.evaluation.closed_portraits import (
    ASKED,
    ClosedPortrait,
    Render,
    closed_portrait_table,
    compare_smile,
    opened,
    track_openings,
)
from tests.fakes.detector import FakeDetector
from tests.unit.models.faces import face_landmarks

NOISE = np.random.default_rng(0).integers(60, 200, (512, 512, 3)).astype(np.uint8)
EYES_APART = 60.0
PERSON = ClosedPortrait(NOISE, NOISE, face_landmarks(), face_landmarks(opening=20))


def rendering(picture: NDArray[np.uint8]) -> Render:
    return lambda _, landmarks: np.stack([picture] * len(landmarks))


def test_every_tenth_person_with_two_looks_is_kept_out() -> None:
    names = [f"l{number:04}_{look}" for number in range(25) for look in "ns"] + ["c0001_0"]
    assert held_out_people(names) == {"l0000", "l0010", "l0020"}


def test_a_smile_is_turned_back_onto_the_neutral_face() -> None:
    shifted = ClosedPortrait(
        NOISE, np.roll(NOISE, 12, axis=1), face_landmarks(), face_landmarks(shift=(6, 0))
    )
    picture, landmarks = shifted.turned_back()
    np.testing.assert_allclose(landmarks, shifted.at_rest, atol=0.01)
    np.testing.assert_allclose(picture[50:-50, 50:-50], NOISE[50:-50, 50:-50], atol=1)


def test_the_photograph_itself_has_its_contrast_and_colour() -> None:
    assert compare_smile(rendering(NOISE), PERSON) == pytest.approx((1, 0), abs=0.01)


def test_a_blur_has_less_contrast_and_a_darker_picture_another_colour() -> None:
    blur = (NOISE.astype(int) + np.roll(NOISE, 1, axis=0) + np.roll(NOISE, 1, axis=1)) // 3
    contrast, _ = compare_smile(rendering(blur.astype(np.uint8)), PERSON)
    assert contrast < 0.7
    _, colour = compare_smile(rendering(NOISE - np.uint8(40)), PERSON)
    assert 10 < colour < 25


def test_lips_part_as_far_as_is_asked_and_nothing_else_moves() -> None:
    closed = face_landmarks()
    parted = opened(closed, 0.25)
    assert parted[66, 1] - parted[62, 1] == pytest.approx(0.25 * EYES_APART)
    np.testing.assert_allclose(parted[[48, 54, 60, 64]], closed[[48, 54, 60, 64]], atol=0.01)
    np.testing.assert_array_equal(parted[17:48], closed[17:48])
    assert parted[8, 1] > closed[8, 1] + 10


@pytest.mark.parametrize("share", [1.0, 0.5])
def test_openings_are_found_again_as_wide_as_they_are_tracked(share: float) -> None:
    shown = iter([opened(PERSON.at_rest, share * opening) for opening in ASKED])
    detector = FakeDetector(look=lambda _: [2 * next(shown)])
    found = track_openings(rendering(NOISE), detector, PERSON)
    assert found == pytest.approx([share] * len(ASKED), abs=0.01)


def test_frames_without_a_face_are_left_out_of_the_mean() -> None:
    faces = [[2 * opened(PERSON.at_rest, opening)] for opening in ASKED]
    looks = iter([*([] for _ in ASKED), *faces])
    table = closed_portrait_table(
        rendering(NOISE), FakeDetector(look=lambda _: next(looks)), [PERSON, PERSON]
    )
    (row,) = table.rows
    assert row["smiles"] == 2
    assert [row[f"{opening:.2f}"] for opening in ASKED] == pytest.approx([1] * len(ASKED), abs=0.01)
    assert row["contrast / real"] == pytest.approx(1, abs=0.01)


def test_without_portraits_nothing_is_said() -> None:
    table = closed_portrait_table(rendering(NOISE), FakeDetector(), [])
    (row,) = table.rows
    assert set(row.values()) == {0, None}


def test_a_mouth_that_rests_is_closed() -> None:
    assert mouth_opening(PERSON.at_rest) < 0.01
