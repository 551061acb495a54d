import numpy as np

from models.corpus.clips import mouth_opening, smooth
from models.training.stage_two.face_frames import move_lips
from tests.unit.models.faces import face_landmarks, face_picture


def test_the_opening_is_the_distance_between_the_inner_lips() -> None:
    faces = np.stack([face_landmarks(opening=o) for o in (0, 10)])
    np.testing.assert_allclose(mouth_opening(faces), [0, 8], atol=2.1)


def test_smoothing_takes_out_noise_and_keeps_motion() -> None:
    steady = np.linspace(0, 30, 30)[:, None, None] * np.ones((1, 79, 2))
    noise = np.random.default_rng(0).normal(0, 0.5, steady.shape)
    smoothed = smooth(steady + noise)
    assert np.abs(smoothed - steady).mean() < 0.8 * np.abs(noise).mean()


def test_too_short_a_clip_is_left_as_it_is() -> None:
    clip = np.random.default_rng(0).normal(size=(3, 79, 2))
    np.testing.assert_allclose(smooth(clip), clip, atol=1e-6)


def test_a_closed_mouth_has_touching_lips_and_an_untouched_forehead() -> None:
    picture, landmarks = face_picture(), face_landmarks(opening=20)
    closed, points = move_lips(picture, landmarks, 1)
    assert mouth_opening(points) < 2
    np.testing.assert_allclose(points[:48], landmarks[:48], atol=16)
    assert np.abs(closed[:80].astype(int) - picture[:80]).mean() < 2
    assert np.abs(closed[170:190].astype(int) - picture[170:190]).mean() > 2


def test_lips_can_be_parted_further() -> None:
    _, points = move_lips(face_picture(), face_landmarks(opening=20), -0.5)
    assert mouth_opening(points) > 1.4 * mouth_opening(face_landmarks(opening=20))


def test_a_512_px_portrait_closes_its_lips_as_a_256_px_one_does() -> None:
    picture, landmarks = face_picture(), face_landmarks(opening=20)
    large = np.repeat(np.repeat(picture, 2, axis=0), 2, axis=1)
    small, big = (move_lips(each, landmarks, 0.5)[0].astype(int) for each in (picture, large))
    assert big.shape == (512, 512, 3)
    shrunk = big.reshape(256, 2, 256, 2, 3).mean(axis=(1, 3))
    assert np.abs(shrunk - small).mean() < 1
