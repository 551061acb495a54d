import numpy as np
import pytest
from numpy.typing import NDArray

from media.errors import FaceCutOff, FaceTooSmall, FaceTurnedAway, NoFace
from media.faces.landmarks import LEFT_EYE, RIGHT_EYE, eye_midpoint, lean
from media.faces.portrait import FACE_ON_ITS_SIDE, SEVERAL_FACES, crop_portrait, head_turn
from tests.fakes.detector import FakeDetector
from tests.media import face_landmarks


def upright(image: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
    """Return one face if the brightest corner is at the top left, else none."""
    return [face_landmarks(100, 120, 40)] if image[0, 0, 0] == 255 else []


def turning(face: NDArray[np.float32]) -> FakeDetector:
    """Return what finds a face, and then its position after a quarter turn of the picture."""
    responses = iter((face, turned_by_a_quarter(face)))
    return FakeDetector(look=lambda _: [next(responses)])


def turned_by_a_quarter(face: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a leaning face in a 256 px picture after the quarter turn that reduces its lean."""
    x, y = face.T
    return np.stack((y, 256 - x) if lean(face) > 0 else (256 - y, x), axis=-1)


BLANK = np.zeros((256, 256, 3), np.uint8)


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


def test_a_chosen_face_is_used_without_a_notice() -> None:
    large, small = face_landmarks(80, 120, 40), face_landmarks(200, 120, 25)
    portrait = crop_portrait(BLANK, FakeDetector(large, small), "2")
    assert portrait.notices == ()
    np.testing.assert_array_equal(portrait.box, crop_portrait(BLANK, FakeDetector(small)).box)


def test_of_several_faces_the_largest_is_used_with_a_notice() -> None:
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
    detector = FakeDetector(look=upright)
    expected = crop_portrait(image, detector)
    given = np.ascontiguousarray(np.rot90(image, turns))
    portrait = crop_portrait(given, detector)
    np.testing.assert_array_equal(portrait.image, given)
    assert portrait.notices == (FACE_ON_ITS_SIDE,)
    assert abs(portrait.box.angle) == pytest.approx((90, 180, 90)[turns - 1], abs=0.1)
    np.testing.assert_allclose(portrait.landmarks, expected.landmarks, atol=2)


@pytest.mark.parametrize("roll", [-75, -44, -20, 20, 46, 75])
def test_the_crop_turns_with_the_head(roll: float) -> None:
    face = face_landmarks(128, 128, 30, roll=roll)
    portrait = crop_portrait(BLANK, FakeDetector(face) if abs(roll) < 45 else turning(face))
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


@pytest.mark.parametrize("distance", [23.1, 23.9])
def test_a_small_face_is_refused(distance: float) -> None:
    with pytest.raises(FaceTooSmall, match="23 pixels between its eyes; at least 24"):
        crop_portrait(BLANK, FakeDetector(face_landmarks(128, 128, distance)))
    crop_portrait(BLANK, FakeDetector(face_landmarks(128, 128, 24.5)))


@pytest.mark.parametrize(("x", "y"), [(20, 128), (240, 128), (128, 5), (128, 240)])
def test_a_face_that_the_edge_cuts_is_refused(x: float, y: float) -> None:
    with pytest.raises(FaceCutOff, match="cut off by the edge"):
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
