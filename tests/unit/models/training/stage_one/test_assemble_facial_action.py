from pathlib import Path

import numpy as np
import pytest
import torch

from media.emotions import EMOTIONS, Emotion
from models.speech_to_landmarks.action_unit_flow import (
    PERFORMED,
    ActionUnitFlow,
    ActionUnitFlowConfig,
)
from models.training.stage_one.action_units import (
    RECORDED,
    ActedClip,
    UnitMeans,
    emotion_vector,
)
from models.training.stage_one.assemble_facial_action import (
    LISTED,
    LIVELY,
    MOST_ENLIVENED,
    PEOPLE,
    asked_of,
    clear_levels,
    liveliness,
    look_of_each,
)
from models.training.stage_one.expressions import Expressions
from tests.unit.models.training.tiny_speech import made_up_expressions

FRAMES = 80


@pytest.fixture(scope="module")
def clips() -> list[ActedClip]:
    torch.manual_seed(0)
    return [
        ActedClip(
            name=f"clip_{number}",
            actor=1,
            units=torch.zeros(FRAMES, len(PERFORMED)),
            states=torch.randn(2 * FRAMES, 24),
            effort=torch.randn(FRAMES, 10),
            emotion=emotion_vector(Emotion.ANGER, 1.0),
            label=Emotion.ANGER,
        )
        for number in range(3)
    ]


@pytest.fixture(scope="module")
def flow() -> ActionUnitFlow:
    """Return a flow that hands its noise on, half as large for every second unit."""
    small = ActionUnitFlowConfig(states=24, content=4, styles=2, width=8, dilations=(1,))
    flow = ActionUnitFlow(small).eval()
    flow.mixing.diagonal()[::2] = 0.5
    flow.mixing.diagonal()[1] = 0.1
    flow.tempo.fill_(1.0)
    return flow


@torch.no_grad()
def test_what_hardly_moves_is_enlivened_and_nothing_is_calmed(
    flow: ActionUnitFlow, clips: list[ActedClip]
) -> None:
    factors = liveliness(flow, clips)
    drawn = torch.stack(
        [
            flow.draw(asked_of(clip, torch.tensor([1.0, 0.0])), torch.Generator().manual_seed(n))[0]
            for n, clip in enumerate(clips)
        ]
    )
    moves = drawn.std(dim=1).mean(dim=0)
    assert factors.shape == (2, len(PERFORMED))
    assert (factors >= 1.0).all()
    assert factors[0, 1] == MOST_ENLIVENED
    assert torch.allclose((factors[0] * moves)[::2], torch.tensor(LIVELY), atol=1e-5)
    assert (factors[0, 3::2] == 1.0).all()


def acting(actor: int, emotion: Emotion) -> UnitMeans:
    units = np.full(len(RECORDED), 0.0 if emotion is Emotion.NEUTRAL else 1.0 + actor)
    return UnitMeans(f"{actor}_{emotion}", actor, emotion, calm=False, strength=1.0, units=units)


def measured(tmp_path: Path) -> tuple[torch.Tensor, torch.Tensor, Expressions]:
    """Return levels of made-up actors, a basis, and the looks."""
    means = [acting(actor, emotion) for actor in range(1, 20) for emotion in EMOTIONS[:-1]]
    basis = torch.randn(2, len(PERFORMED), 79, 2, generator=torch.Generator().manual_seed(0))
    looks = made_up_expressions(tmp_path)
    return clear_levels(means, basis, looks), basis, looks


def test_only_units_that_belong_to_an_emotion_count(tmp_path: Path) -> None:
    levels, _, _ = measured(tmp_path)
    assert levels.shape == (PEOPLE, len(EMOTIONS), len(PERFORMED))
    for emotion, units in LISTED.items():
        listed = [PERFORMED.index(f"AU{unit:02d}") for unit in units]
        others = [column for column in range(len(PERFORMED)) if column not in listed]
        assert (levels[:, EMOTIONS.index(emotion), listed] > 0.0).all()
        assert not levels[:, EMOTIONS.index(emotion), others].any()


def test_people_differ_around_the_look_of_an_emotion(tmp_path: Path) -> None:
    levels, basis, looks = measured(tmp_path)
    shown = look_of_each(levels, basis, looks)
    for index, emotion in enumerate(EMOTIONS):
        mean = shown[:, index].mean(dim=0)
        torch.testing.assert_close(mean, torch.from_numpy(looks.show(emotion)), atol=1e-4, rtol=0.0)
        alike = emotion in (Emotion.NEUTRAL, Emotion.CONTEMPT)
        assert bool(shown[:, index].std(dim=0).max() < 1e-6) is alike
