"""A portrait's own upper teeth, and the borrowed row that goes with them."""

import numpy as np
import pytest
import torch
from torch import Tensor

from models.landmarks_to_video.mouth.lip_lines import UprightLips
from models.landmarks_to_video.mouth.open_mouth import OpenMouth
from models.landmarks_to_video.mouth.own_row import OwnRow
from models.landmarks_to_video.mouth.teeth_line import COLUMNS
from models.landmarks_to_video.mouth.tooth_rows import Row
from models.landmarks_to_video.visual_translator import TranslatorConfig, VisualTranslator
from tests.unit.models.faces import face_landmarks, face_with_lips
from tests.unit.models.landmarks_to_video.open_portraits import DARK, WHITE, portrait

TIPS = 0.05
"""Height of the row, in inter-ocular distances."""


def mouth(shown: Tensor, give: float = 1.0, gone: float = 0.0) -> OpenMouth:
    seen = torch.ones(1, COLUMNS)
    line = torch.full((1, COLUMNS), 0.7)
    rows = Row(seen, give, torch.full((1, COLUMNS), gone)), Row(torch.zeros(1, COLUMNS))
    return OpenMouth(UprightLips.of(shown), line, *rows, torch.tensor([WHITE]), TIPS, 0.2)


@pytest.mark.parametrize("opening", [2, 4, 5, 12])
def test_a_row_that_is_gone_is_replaced_in_every_opening(opening: float) -> None:
    wanted = UprightLips.of(face_with_lips(opening))
    gone, kept = (OwnRow.of(mouth(face_with_lips(4), gone=share), wanted) for share in (1, 0))
    assert gone.replaces
    assert not kept.replaces


def moved(target: Tensor, give: float = 1.0) -> list[float]:
    row = OwnRow.of(mouth(face_with_lips(6), give), UprightLips.of(target))
    return [60 * float(way) for way in row.moved[0]]


def test_a_borrowed_row_hangs_from_a_lip_that_rises_and_not_from_one_that_sinks() -> None:
    risen, sunk = face_with_lips(6), face_with_lips(6)
    risen[:, 60:68, 1] -= 2
    sunk[:, 60:68, 1] += 2
    assert moved(risen) == pytest.approx([0, -2], abs=0.01)
    assert moved(sunk) == pytest.approx([0, 0], abs=0.01)


def test_a_borrowed_row_reaches_as_far_down_as_stretched_teeth() -> None:
    rigid, stretched = moved(face_with_lips(16)), moved(face_with_lips(16), give=1.5)
    assert stretched[1] - rigid[1] == pytest.approx(60 * TIPS * 0.5, abs=0.01)


def test_a_borrowed_row_moves_sideways_with_the_lips_and_not_with_the_nose() -> None:
    turned = face_with_lips(6)
    turned[:, 48:68, 0] += 3
    assert moved(turned) == pytest.approx([3, 0], abs=0.01)


def test_a_few_teeth_are_replaced_in_the_picture_and_a_whole_row_is_not() -> None:
    torch.manual_seed(0)
    translator = VisualTranslator(TranslatorConfig()).eval()
    changed = []
    for opening in (4, 16):
        image, landmarks = portrait(opening, WHITE, (0, 0.7))
        dark, _ = portrait(opening, DARK)
        beside = [*range(122), *range(135, 256)]
        if opening == 4:
            image[..., beside] = dark[..., beside]
        crop = (image[0].permute(1, 2, 0) * 255).to(torch.uint8).numpy()
        wide = face_landmarks(opening=opening + 14)[None]
        frames = []
        for light in (0.2, 1.0):
            translator.dentitions.maps.fill_(1)
            translator.dentitions.maps[:, :3] = light
            features = translator.prepare(crop, landmarks[0].numpy())
            assert features.mouth is not None
            assert features.mouth.upper.shown
            frames.append(translator.render(features, wide)[0, :, 128].astype(int))
        changed.append(np.abs(frames[1] - frames[0]).max())
    assert changed[0] > 30
    assert changed[1] == 0
