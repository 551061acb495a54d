"""Teeth cut out of photographs."""

import numpy as np
import pytest
import torch

from models.landmarks_to_video.dentition import TEETH_HEIGHT, TEETH_WIDTH
from models.training.stage_two.fit_dentition import BOW, HALF_ROW, upper_row
from models.training.stage_two.tooth_outlines import UPPER_ROWS, UpperRow
from tests.unit.models.faces import face_landmarks

ARC = UpperRow(
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


@pytest.mark.parametrize("row", UPPER_ROWS.values(), ids=UPPER_ROWS)
def test_a_tracing_is_a_row_of_teeth_below_its_lip(row: UpperRow) -> None:
    contour, lip = np.array(row.incisal), np.array(row.bared)
    assert (np.diff(contour[:, 0]) > 0).all()
    assert (np.diff(lip[:, 0]) < 0).all()
    assert (contour[:, 1] > np.interp(contour[:, 0], *lip[::-1].T)).all()
