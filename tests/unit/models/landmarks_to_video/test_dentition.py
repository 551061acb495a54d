import torch

from models.landmarks_to_video.dentition import (
    LOWER_WIDTHS_MM,
    PUPILS_MM,
    TEETH_HEIGHT,
    TEETH_REACH,
    UPPER_SPAN_MM,
    drawn_teeth,
    lower_row,
)


def test_teeth_are_drawn_in_pairs_about_the_midline() -> None:
    teeth = drawn_teeth(129, 0.75)
    assert teeth.equal(teeth.flip(-1))
    assert teeth[:, :, 64].max() == 0, "a gap parts the two in the middle"


def test_the_upper_teeth_hang_below_the_nose() -> None:
    upper = drawn_teeth(129, 0.75)[0]
    rows = torch.linspace(-0.75, 0.75, 129)[upper.amax(dim=1) > 0] * PUPILS_MM
    top, bottom = UPPER_SPAN_MM
    assert top <= rows.min()
    assert rows.max() <= bottom
    assert rows.max() - rows.min() > 0.8 * (bottom - top)


def test_dark_clefts_part_the_lower_teeth() -> None:
    light = lower_row()[0, TEETH_HEIGHT // 2, :]
    shown = lower_row()[3, -1] > 0.5
    dips = (light[1:-1] < light[:-2]) & (light[1:-1] <= light[2:]) & (light[1:-1] < 0.85)
    assert int((dips & shown[1:-1]).sum()) == 2 * len(LOWER_WIDTHS_MM) - 1


def test_lower_teeth_have_uneven_rounded_tips_and_a_row_that_rises_to_its_sides() -> None:
    visible = lower_row()[3] > 0.5
    millimetres = 2 * TEETH_REACH[1] * PUPILS_MM / TEETH_HEIGHT
    middle = visible.shape[1] // 2
    tips = visible.int().argmax(dim=0) * millimetres
    front = tips[middle - 48 : middle + 48]
    assert 1 < float(front.max() - front.min()) < 2.5
    assert float(tips[middle - 24 : middle + 24].mean()) > float(tips[middle + 72]) + 2
    assert not visible.equal(visible.flip(-1))
