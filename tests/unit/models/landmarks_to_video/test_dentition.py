import torch

from models.landmarks_to_video.dentition import PUPILS_MM, UPPER_SPAN_MM, drawn_teeth


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
