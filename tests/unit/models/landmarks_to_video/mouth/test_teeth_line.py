"""The line along which an open portrait's mouth parts."""

import pytest
import torch
from torch import Tensor

from models.landmarks_to_video.mouth.teeth_line import (
    COLUMNS,
    DEPTHS,
    MIDDLE,
    cavity_above,
    teeth_line,
)

HEIGHTS = torch.full((COLUMNS,), 12.0)


def mouth(*parts: tuple[int, int, float]) -> tuple[Tensor, Tensor]:
    """Return grey colours `[1, 3, DEPTHS, COLUMNS]`, dark but for parts of some light between two
    rows, and where they look like teeth.
    """
    light = torch.full((DEPTHS, COLUMNS), 0.1)
    for first, last, bright in parts:
        light[first:last] = bright
    return light.expand(1, 3, -1, -1).clone(), (light > 0.5).float()


def test_the_line_in_an_even_dark_has_no_jags() -> None:
    colours, likeness = mouth((0, 20, 0.8))
    torch.manual_seed(0)
    colours[:, :, 20:] += 0.02 * torch.rand(1, 1, DEPTHS - 20, COLUMNS)
    line, are_upper = teeth_line(colours, likeness, HEIGHTS)
    assert are_upper
    assert float((line * DEPTHS)[0, MIDDLE].min()) > 19
    assert float((line * DEPTHS)[0].diff().diff().abs().max()) < 0.25


@pytest.mark.parametrize("shade", [0.0, 0.2])
def test_two_rows_that_fill_the_opening_part_where_they_bite(shade: float) -> None:
    colours, likeness = mouth((0, 26, 0.8), (26, 28, 0.8 - shade), (28, 46, 0.7))
    line, are_upper = teeth_line(colours, likeness, HEIGHTS)
    rows = (line * DEPTHS)[0, MIDDLE]
    assert are_upper
    torch.testing.assert_close(rows, torch.full_like(rows, 27 if shade else 47), atol=1.1, rtol=0)


def test_no_bite_is_looked_for_where_none_may_be() -> None:
    colours, likeness = mouth((0, 26, 0.8), (26, 28, 0.6), (28, 46, 0.7))
    line, _ = teeth_line(colours, likeness, HEIGHTS, bitten=False)
    assert float((line * DEPTHS)[0, MIDDLE].min()) > 44


def test_gums_above_upper_teeth_are_no_bite() -> None:
    colours, likeness = mouth((0, 4, 0.8), (4, 6, 0.5), (6, 46, 0.8))
    line, _ = teeth_line(colours, likeness, HEIGHTS)
    assert float((line * DEPTHS)[0, MIDDLE].min()) > 44


@pytest.mark.parametrize(
    ("first", "smiling", "cavity"), [(14, 0.0, True), (14, 1.0, False), (8, 0.0, False)]
)
def test_a_cavity_above_lower_teeth_is_higher_than_a_lip_in_the_shade(
    first: int, smiling: float, cavity: bool
) -> None:
    _, likeness = mouth((first, 46, 0.8))
    assert cavity_above(likeness, smiling) == cavity


def test_where_nothing_looks_like_teeth_no_cavity_is_above_any() -> None:
    assert not cavity_above(mouth()[1], 0.0)


def test_hanging_teeth_are_looked_for_above_a_light_lower_lip() -> None:
    colours, likeness = mouth((14, 30, 0.7), (36, 48, 0.9))
    for hanging in (False, True):
        line, are_upper = teeth_line(colours, likeness, HEIGHTS, hanging=hanging)
        assert are_upper == hanging
        rows = (line * DEPTHS)[0, MIDDLE]
        assert (29 < float(rows.min()) <= float(rows.max()) < 37) == hanging


def test_a_dark_below_the_tips_of_upper_teeth_is_a_cavity_above_lower_ones() -> None:
    for first, found in ((14, True), (4, False)):
        _, likeness = mouth((0, 4, 0.8), (first, 46, 0.8))
        assert cavity_above(likeness, 0.0) == found
