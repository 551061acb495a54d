from pathlib import Path

import numpy as np
import pytest

from media.emotions import EMOTIONS, Emotion
from models.face.retargeting import lip_gaps
from models.training.stage_one.expressions import ACTIONS, Expressions, keep_lips_together
from tests.unit.models.training.tiny_speech import made_up_expressions


@pytest.fixture
def expressions(tmp_path: Path) -> Expressions:
    return made_up_expressions(tmp_path)


def test_every_emotion_has_a_look() -> None:
    assert set(ACTIONS) == set(EMOTIONS)


def test_neutral_shows_nothing(expressions: Expressions) -> None:
    assert not expressions.show(Emotion.NEUTRAL).any()


@pytest.mark.parametrize("emotion", [e for e in EMOTIONS if e is not Emotion.NEUTRAL])
def test_no_emotion_parts_the_lips(expressions: Expressions, emotion: Emotion) -> None:
    shown = expressions.show(emotion, np.random.default_rng(1))
    assert np.abs(shown).max() > 0.01
    np.testing.assert_allclose(lip_gaps(shown), 0.0, atol=1e-6)


def test_people_show_an_emotion_each_in_their_way(expressions: Expressions) -> None:
    rng = np.random.default_rng(0)
    one, other = (expressions.show(Emotion.FEAR, rng) for _ in range(2))
    assert np.abs(one - other).max() > 1e-3


def test_lips_kept_together_move_by_the_mean_of_both() -> None:
    opening = np.zeros((79, 2), np.float32)
    opening[65:68, 1] = 0.2
    np.testing.assert_allclose(keep_lips_together(opening)[[61, 67], 1], 0.1, atol=1e-6)
