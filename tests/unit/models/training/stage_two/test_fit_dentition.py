"""Teeth cut out of photographs."""

import numpy as np
import pytest
import torch

from models.landmarks_to_video.dentition import TEETH_HEIGHT, TEETH_WIDTH
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


def test_a_lower_row_is_levelled_and_evenly_lit() -> None:
    across = np.arange(-64.0, 65.0, 4)
    tips = 50 + 0.1 * across + 10 * (across / HALF_ROW) ** 2
    contour = tuple((120 + x, y + x % 8) for x, y in zip(across, tips, strict=True))
    row = Row(120, contour, ((184, 90), (56, 90)))
    image = torch.linspace(0.3, 0.9, 512).expand(1, 3, 512, 512).clone()
    teeth = lower_row(image, torch.from_numpy(face_landmarks())[None], row).numpy()
    edges = (teeth[3] > 0.5).argmax(axis=0)
    middle = TEETH_WIDTH // 2
    assert edges[middle] == pytest.approx(TEETH_HEIGHT / 2, abs=3)
    for side in (-48, 48):
        bow = LOWER_BOW * (side / HALF_ROW) ** 2
        assert edges[middle + side] - edges[middle] == pytest.approx(bow, abs=3)
    crowns = teeth[:3, TEETH_HEIGHT // 2 : TEETH_HEIGHT // 2 + 16, middle - 32 : middle + 32]
    assert crowns.mean(axis=(0, 1)) == pytest.approx(CROWN, abs=0.05)
    assert (teeth[3, -1, middle - 32 : middle + 32] > 0.99).all(), "crowns go on below the lip"


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
