"""Teeth cut out of photographs."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from models.landmarks_to_video.mouth.dentition import TEETH_HEIGHT, TEETH_WIDTH
from models.training.stage_two.fit_dentition import (
    BOW,
    CROWN,
    HALF_ROW,
    LOWER_BOW,
    lower_row,
    upper_row,
)
from models.training.stage_two.tooth_outlines import LOWER_ROWS, UPPER_ROWS, Row
from tests.unit.models.faces import face_landmarks

ARC = Row(
    140,
    tuple((140.0 + x, 80 - 32 * (x / HALF_ROW) ** 2 - x % 8) for x in range(-88, 89, 4)),
    ((228, 24), (140, 40), (52, 24)),
)
"""A row off the middle with notches, whose ends lie 32 texels above its middle."""


def test_a_row_is_straightened_around_the_middle_of_its_map() -> None:
    image, landmarks = torch.full((1, 3, 512, 512), 0.7), torch.from_numpy(face_landmarks())[None]
    opacity = upper_row(image, landmarks, ARC)[3].numpy()
    edges = TEETH_HEIGHT - 1 - (opacity[::-1] > 0.5).argmax(axis=0)
    middle = TEETH_WIDTH // 2
    assert edges[middle] == pytest.approx(TEETH_HEIGHT / 2, abs=2)
    for side in (-72, 72):
        bow = BOW * (side / HALF_ROW) ** 2
        assert edges[middle] - edges[middle + side] == pytest.approx(bow, abs=3)


def half_row(raised: float = 0.0) -> Row:
    """Return four teeth of a tilted half, 16 texels wide, of which the second is raised."""
    shape = ((0, 4), (4, 0), (12, 0))
    points = [(16.0 * tooth + x, y - raised * (tooth == 1)) for tooth in range(4) for x, y in shape]
    contour = tuple((120 + x, 50 + 0.1 * x + y) for x, y in (*points, (64.0, 4.0)))
    return Row(120, contour, ((184, 90), (120, 90)))


def lower_teeth(row: Row) -> NDArray[np.float32]:
    """Return the row out of a picture that is brighter to the right."""
    image = torch.linspace(0.3, 0.9, 512).expand(1, 3, 512, 512).clone()
    return lower_row(image, torch.from_numpy(face_landmarks())[None], row).numpy()


def test_a_lower_row_is_evenly_lit_and_its_crowns_go_on_below_the_lip() -> None:
    teeth, middle = lower_teeth(half_row()), TEETH_WIDTH // 2
    crowns = teeth[:3, TEETH_HEIGHT // 2 : TEETH_HEIGHT // 2 + 16, middle - 32 : middle + 32]
    assert crowns.max(axis=(0, 1)).reshape(4, 16).max(axis=1) == pytest.approx(CROWN, abs=0.03)
    assert (teeth[3, -1, middle - 32 : middle + 32] > 0.99).all()


@pytest.mark.parametrize("raised", [0.0, 8.0, -8.0])
def test_no_tooth_of_a_lower_row_stands_out(raised: float) -> None:
    edges = (lower_teeth(half_row(raised))[3] > 0.5).argmax(axis=0)
    middle = TEETH_WIDTH // 2
    for side in (-40, -24, -8, 8, 24, 40):
        bow = LOWER_BOW * (side / HALF_ROW) ** 2
        assert edges[middle + side] == pytest.approx(TEETH_HEIGHT / 2 + bow, abs=3)


def test_a_lower_row_is_even_about_the_middle_of_its_map() -> None:
    teeth = lower_teeth(half_row())[..., 1:]
    columns = np.flatnonzero((teeth[3] > 0.5).any(axis=0)) - TEETH_WIDTH // 2 + 1
    assert columns.max() > 50
    assert -columns.min() == pytest.approx(columns.max(), abs=2)
    assert np.abs(teeth - teeth[..., ::-1]).mean() < 0.01


def test_lower_teeth_are_told_apart_where_nothing_but_a_groove_parts_them() -> None:
    light = lower_teeth(half_row())[:3, TEETH_HEIGHT // 2 + 40].mean(axis=0)
    middle = TEETH_WIDTH // 2
    for notch in (-32, -16, 0, 16, 32):
        assert light[middle + notch] < 0.92 * light[middle + notch + 8]


@pytest.mark.parametrize("row", LOWER_ROWS.values(), ids=LOWER_ROWS)
def test_a_lower_tracing_is_a_row_of_teeth_above_its_lip(row: Row) -> None:
    contour, lip = np.array(row.incisal), np.array(row.bared)
    assert (np.diff(contour[:, 0]) > 0).all()
    assert (np.diff(lip[:, 0]) < 0).all()
    assert (contour[:, 1] < np.interp(contour[:, 0], *lip[::-1].T)).all()


@pytest.mark.parametrize("row", UPPER_ROWS.values(), ids=UPPER_ROWS)
def test_a_tracing_is_a_row_of_teeth_below_its_lip(row: Row) -> None:
    contour, lip = np.array(row.incisal), np.array(row.bared)
    assert (np.diff(contour[:, 0]) > 0).all()
    assert (np.diff(lip[:, 0]) < 0).all()
    assert (contour[:, 1] > np.interp(contour[:, 0], *lip[::-1].T)).all()
