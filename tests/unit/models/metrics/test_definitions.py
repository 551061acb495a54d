import numpy as np
import pytest
from numpy.typing import NDArray

from media.emotions import EMOTIONS, Emotion
from media.faces.landmarks import MOUTH
from models.metrics.definitions import (
    FACE,
    accuracy,
    box,
    compare_lips,
    confusion,
    correlate,
    correlation,
    frechet_distance,
    identity_similarity,
    jerk,
    landmark_distance,
    lip_opening,
    mean_recall,
    psnr,
    sharpness,
    ssim,
    sync_confidence,
    velocity_distance,
)
from tests.unit.models.faces import face_landmarks, face_picture

Array = NDArray[np.float32]


@pytest.fixture
def opening() -> Array:
    return np.random.default_rng(0).uniform(0, 0.3, 50).astype(np.float32)


def talking(opening: Array) -> Array:
    """Return landmarks `[T, 79, 2]` px of a face whose eyes lie 60 px apart."""
    return np.stack([face_landmarks(opening=60 * float(gap)) for gap in opening])


def track(*values: float) -> Array:
    return np.array(values, np.float32)


def test_correlation_of_known_tracks() -> None:
    assert correlation(track(0, 1, 2), track(1, 3, 5)) == pytest.approx(1)
    assert correlation(track(0, 1, 2), track(2, 1, 0)) == pytest.approx(-1)
    assert correlation(track(0, 1, 0), track(0, 1, 2)) == pytest.approx(0)


def test_a_track_that_stands_still_correlates_with_nothing(opening: Array) -> None:
    assert correlation(np.full(50, 0.2, np.float32), opening) == 0
    assert correlation(track(1), track(1)) == 0


@pytest.mark.parametrize("lag", [-4, -1, 0, 2])
def test_a_shift_lowers_correlation_and_is_found_as_lag(opening: Array, lag: int) -> None:
    figures = compare_lips(np.roll(opening, lag), opening)
    assert figures.lag == lag
    assert figures.peak == pytest.approx(1, abs=1e-5)
    assert figures.in_step == (abs(lag) <= 1)
    assert (figures.correlation > 0.99) == (lag == 0)


def test_short_tracks_are_shifted_by_a_quarter_at_most() -> None:
    assert correlate(track(1, 0, 0, 0), track(0, 0, 0, 1))[1] in (-1, 0, 1)


def test_amplitude_is_the_ratio_of_deviations(opening: Array) -> None:
    figures = compare_lips(0.5 * opening + 0.1, opening)
    assert figures.amplitude == pytest.approx(0.5, rel=1e-4)
    assert figures.correlation == pytest.approx(1, abs=1e-5)


def test_lips_that_do_not_move_are_not_in_step(opening: Array) -> None:
    figures = compare_lips(np.full_like(opening, 0.1), opening)
    assert not figures.in_step
    assert figures.amplitude == pytest.approx(0, abs=1e-6)


def test_the_opening_is_the_mean_inner_gap_in_inter_oculars() -> None:
    face = talking(track(0.0, 0.0))
    face[:, [67, 66, 65]] = face[:, [61, 62, 63]] + [0.0, 12.0]
    np.testing.assert_allclose(lip_opening(face), 12 / 60, rtol=1e-5)


def test_landmark_distance_ignores_where_the_mouth_is_but_not_its_size(opening: Array) -> None:
    real = talking(opening)
    assert landmark_distance(real + np.float32(7), real) == pytest.approx(0, abs=1e-4)
    mouth = real[:, MOUTH] - real[:, MOUTH].mean(axis=1, keepdims=True)
    size = np.linalg.norm(mouth, axis=-1).mean()
    assert landmark_distance(1.1 * real, real) == pytest.approx(0.1 * size, rel=1e-4)


def test_landmark_distance_of_one_displaced_point() -> None:
    real = talking(track(0.1, 0.1))
    moved = real.copy()
    moved[:, 48, 0] += 20
    # The mouth's mean moves by 1, so that one point is 19 off and nineteen are 1 off.
    assert landmark_distance(moved, real, MOUTH) == pytest.approx((19 + 19) / 20)
    shift = 20 / 68
    expected = (20 - shift + 67 * shift) / 68
    assert landmark_distance(moved, real, FACE) == pytest.approx(expected, rel=1e-4)


def test_velocity_distance_sees_motion_and_not_shape() -> None:
    real = talking(track(0.1, 0.1, 0.1))
    grown, shaking = 1.2 * real, real.copy()
    shaking[1, 10, 1] += 68
    assert velocity_distance(grown, real) == pytest.approx(0, abs=1e-4)
    # Each of the two steps moves one point by 67 and 67 points by 1, about the mean.
    assert velocity_distance(shaking, real) == pytest.approx(2 * 67 / 68, rel=1e-4)


def test_jerk_of_a_cubic_is_six_times_its_factor_and_of_a_parabola_none() -> None:
    time = np.arange(8, dtype=np.float32)
    path = np.zeros((8, 79, 2), np.float32)
    path[..., 0] = 2 * time[:, None] ** 3
    assert jerk(path, [0, 5]) == pytest.approx(12)
    path[..., 0] = 2 * time[:, None] ** 2
    assert jerk(path, slice(48, 68)) == pytest.approx(0)


def test_the_box_holds_the_points_and_six_pixels_more() -> None:
    points = np.array([[20.5, 40], [60, 50.5]], np.float32)
    assert box(points) == (slice(34, 57), slice(14, 66))
    assert box(points - 40) == (slice(0, 17), slice(0, 26))


def test_psnr_of_a_known_error() -> None:
    black = np.zeros((4, 4, 3), np.uint8)
    assert psnr(black, black + 51) == pytest.approx(20 * np.log10(5))
    assert psnr(black, black) == pytest.approx(78.13, abs=0.01)


def test_ssim_is_one_for_equals_and_falls_with_noise() -> None:
    picture = face_picture()
    noise = np.random.default_rng(0).integers(-40, 40, picture.shape)
    noisy = (picture + noise).clip(0, 255).astype(np.uint8)
    assert ssim(picture, picture) == pytest.approx(1)
    assert ssim(noisy, picture) < 0.9


def test_ssim_of_flat_pictures_is_their_luminance_term() -> None:
    one, other = (np.full((16, 16, 3), grey, np.uint8) for grey in (51, 102))
    expected = (2 * 0.2 * 0.4 + 1e-4) / (0.2**2 + 0.4**2 + 1e-4)
    assert ssim(one, other) == pytest.approx(expected, rel=1e-5)


def test_sharpness_of_a_checkerboard_and_of_its_blur() -> None:
    board = np.repeat((np.indices((8, 8)).sum(axis=0) % 2 * 10)[..., None], 3, axis=2)
    assert sharpness(board.astype(np.uint8)) == pytest.approx(40)
    blurred = ((board[:-1] + board[1:]) // 2).astype(np.uint8)
    assert sharpness(blurred) == 0


def test_identity_similarity_is_the_mean_cosine() -> None:
    frames = np.array([[2, 0], [0, 3], [-1, 0], [1, 1]], np.float32)
    expected = (1 + 0 - 1 + np.sqrt(0.5)) / 4
    assert identity_similarity(track(5, 0), frames) == pytest.approx(expected)


def test_frechet_distance_of_gaussians_known_by_their_moments() -> None:
    features = np.random.default_rng(0).standard_normal((2000, 3)).astype(np.float32)
    assert frechet_distance(features, features) == pytest.approx(0, abs=1e-5)
    assert frechet_distance(features + np.float32(2), features) == pytest.approx(12, rel=1e-5)
    # (3 - 1)^2 of each axis' variance, the means being near zero.
    spread = frechet_distance(3 * features, features)
    assert spread == pytest.approx(4 * features.var(axis=0, ddof=1).sum(), rel=1e-2)


def test_sync_confidence_is_high_in_step_and_low_out_of_reach() -> None:
    sound = np.random.default_rng(0).standard_normal((80, 16)).astype(np.float32)
    confidence, distance = sync_confidence(np.roll(sound, 3, axis=0), sound)
    assert distance == pytest.approx(0, abs=1e-5)
    assert confidence > 3
    unrelated = np.random.default_rng(1).standard_normal((80, 16)).astype(np.float32)
    assert sync_confidence(unrelated, sound)[0] < 1


def test_confusion_counts_the_likeliest_emotion_over_time() -> None:
    anger, fear = EMOTIONS.index(Emotion.ANGER), EMOTIONS.index(Emotion.FEAR)
    wavering = np.zeros((3, 8), np.float32)
    wavering[0, fear], wavering[1:, anger] = 1.0, 0.8
    counts = confusion([Emotion.ANGER, Emotion.FEAR, Emotion.FEAR], [wavering] * 3)
    assert counts[anger, anger] == 1
    assert counts[fear, anger] == 2
    assert accuracy(counts) == pytest.approx(1 / 3)
    assert mean_recall(counts) == pytest.approx(1 / 2)
