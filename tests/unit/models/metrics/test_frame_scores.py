import pytest

from models.metrics.frame_scores import Pair, as_table, baselines, sample_sheet, score
from tests.unit.models.faces import face_landmarks, face_picture


@pytest.fixture
def pair() -> Pair:
    source, target = face_landmarks(), face_landmarks(opening=10)
    return Pair(face_picture(1), face_picture(2), source, target)


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
