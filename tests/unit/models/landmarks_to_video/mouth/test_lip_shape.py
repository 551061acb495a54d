"""Smiles, rounded mouths and dropped jaws, recognized by the shape of the lips."""

import pytest
import torch

from models.landmarks_to_video.mouth.lip_shape import (
    DRAWN_DOWN,
    dropped_teeth,
    hidden_teeth,
    rounding,
    smile,
)
from tests.unit.models.faces import face_with_lips

CORNERS = [48, 54, 60, 64]


def test_wide_lips_smile_unless_the_jaw_drops() -> None:
    faces = torch.cat(
        [face_with_lips(8), face_with_lips(8, width=56), face_with_lips(26, width=56)]
    )
    assert smile(faces).tolist() == pytest.approx([0, 1, 0])


def test_corners_that_rise_above_the_portraits_tell_a_smile() -> None:
    raised = face_with_lips(8, width=44)
    raised[:, CORNERS, 1] -= 5
    assert smile(raised).item() == 0
    assert smile(raised, rest=face_with_lips(0, width=44)).item() > 0.5
    assert smile(raised, rest=raised).item() == 0


def test_a_smile_does_not_depend_on_how_the_head_leans() -> None:
    raised, rest = face_with_lips(8, width=44), face_with_lips(0)
    raised[:, CORNERS, 1] -= 5
    angle = torch.tensor(0.5)
    turn = torch.stack(
        [torch.stack([angle.cos(), angle.sin()]), torch.stack([-angle.sin(), angle.cos()])]
    )
    assert smile(raised @ turn, rest @ turn).item() == pytest.approx(smile(raised, rest).item())


def test_narrow_lips_are_rounded() -> None:
    widths = torch.cat([face_with_lips(8, width) for width in (30, 36, 42)])
    first, second, third = rounding(widths).tolist()
    assert first == 1
    assert 0 < second < 1
    assert third == 0


def test_a_dropped_jaw_hides_teeth_but_for_a_smile() -> None:
    assert hidden_teeth(torch.cat([face_with_lips(8), face_with_lips(16, width=56)])).tolist() == [
        0,
        0,
    ]
    assert hidden_teeth(face_with_lips(20)).item() == pytest.approx(0.035)


def test_lower_teeth_follow_a_lip_that_is_drawn_down_further_than_their_crowns() -> None:
    rest, drawn = face_with_lips(0), face_with_lips(0).repeat(2, 1, 1)
    drawn[:, 66, 1] += 60 * (DRAWN_DOWN + torch.tensor([-0.02, 0.05]))
    assert dropped_teeth(drawn, rest).tolist() == pytest.approx([0, 0.05], abs=1e-5)
    assert dropped_teeth(drawn).tolist() == [0, 0]
    with_chin = drawn + 0
    with_chin[:, 8] += drawn[:, 66] - rest[:, 66]
    assert dropped_teeth(with_chin, rest).tolist() == [0, 0]
