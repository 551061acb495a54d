import numpy as np
import pytest

from models.training.translator_validation import (
    Pair,
    as_table,
    baselines,
    psnr,
    sample_sheet,
    score,
    sharpness,
    ssim,
)
from tests.unit.models.faces import face_landmarks, face_picture


@pytest.fixture
def pair() -> Pair:
    source, target = face_landmarks(), face_landmarks(opening=10)
    return Pair(face_picture(1), face_picture(2), source, target)


def test_psnr_of_a_known_error() -> None:
    black = np.zeros((4, 4, 3), np.uint8)
    assert psnr(black, black + 51) == pytest.approx(20 * np.log10(5))


def test_ssim_is_one_for_equals_and_falls_with_noise() -> None:
    picture = face_picture()
    noise = np.random.default_rng(0).integers(-40, 40, picture.shape)
    noisy = (picture + noise).clip(0, 255).astype(np.uint8)
    assert ssim(picture, picture) == pytest.approx(1)
    assert ssim(noisy, picture) < 0.9


def test_sharpness_falls_when_a_picture_is_averaged() -> None:
    picture = np.random.default_rng(0).integers(0, 255, (32, 32, 3)).astype(np.uint8)
    blurred = ((picture[:-1].astype(int) + picture[1:]) // 2).astype(np.uint8)
    assert sharpness(blurred) < 0.8 * sharpness(picture)


def test_a_perfect_renderer_has_perfect_scores(pair: Pair) -> None:
    perfect = score([pair], lambda each: each.wanted)
    assert perfect.ssim == pytest.approx(1)
    assert perfect.mouth_sharpness == pytest.approx(1)
    assert perfect.psnr > 70


def test_the_table_has_a_row_for_each_baseline(pair: Pair) -> None:
    scores = {name: score([pair], render) for name, render in baselines().items()}
    table = as_table(scores)
    assert table.count("\n") == 3
    assert "prior alone" in table


def test_the_sheet_shows_four_faces_and_three_mouths(pair: Pair) -> None:
    assert sample_sheet([pair, pair], lambda each: each.wanted).size == (7 * 256, 2 * 256)
