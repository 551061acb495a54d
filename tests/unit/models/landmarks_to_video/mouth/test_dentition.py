import pytest
import torch

from models.landmarks_to_video.face_regions import MOUTH
from models.landmarks_to_video.mouth.complexion import COMPLEXION
from models.landmarks_to_video.mouth.dentition import (
    LOWEST_EDGE,
    PUPILS_MM,
    TEETH_HEIGHT,
    TEETH_WIDTH,
    UPPER_SPAN_MM,
    Dentitions,
    drawn_teeth,
    highest_row,
    surely_enamel,
)
from models.landmarks_to_video.upright import face_frame
from models.landmarks_to_video.visual_translator import VisualTranslator
from tests.unit.models.faces import face_with_lips


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


def test_each_mouth_is_lent_an_upper_and_a_lower_row_of_its_width() -> None:
    dentitions, face = Dentitions(2), face_with_lips(0)
    distance, _ = face_frame(face)
    width = (face[:, 54] - face[:, 48]).norm(dim=-1) / distance
    dentitions.widths.copy_(torch.stack([width[0], width[0] + 0.1]))
    for light, rows in ((0.25, dentitions.maps), (0.75, dentitions.lower_maps)):
        rows[0] = light
    lent = dentitions.borrowed(face)
    assert lent.amax(dim=(0, 2, 3, 4)).tolist() == [0.25, 0.75]


def test_the_lower_map_holds_crowns_below_the_edges_even_of_a_short_chin() -> None:
    dentitions = Dentitions(1)
    dentitions.lower_maps[:, 3, TEETH_HEIGHT // 2 :] = 1
    face = face_with_lips(0)
    face[:, MOUTH.anchors[1], 1] = face[:, 66, 1] + 1
    opacity = dentitions.borrowed(face)[:, 1, 3]
    assert float(highest_row(opacity)) == pytest.approx(LOWEST_EDGE, abs=0.03)


def test_shipped_lower_rows_reach_equally_far_to_both_sides() -> None:
    rows = VisualTranslator.load(torch.device("cpu")).dentitions.lower_maps[:, 3]
    for opacity in rows:
        columns = (opacity.amax(dim=0) > 0.5).nonzero() - TEETH_WIDTH // 2
        assert int(columns.max()) > 50
        assert -int(columns.min()) == pytest.approx(int(columns.max()), abs=2)
        edge = torch.where(opacity[:, 1:] > 0.5, 0.0, 1.0).cumprod(dim=0).sum(dim=0)
        front = edge[abs(torch.arange(1, TEETH_WIDTH) - TEETH_WIDTH // 2) < 50]
        assert float((front - front.flip(0)).abs().max()) <= 1
        assert float(front.max() - front.min()) < 16, "no tooth stands out"


@pytest.mark.parametrize(
    ("colour", "lips", "enamel"),
    [
        ((0.8, 0.7, 0.6), (1.2, 0.6, 0.5), True),
        ((0.8, 0.55, 0.55), (1.2, 0.6, 0.5), False),
        ((0.8, 0.7, 0.6), (0.9, 0.75, 0.7), True),
    ],
    ids=["teeth", "lip in the light", "pale lips"],
)
def test_a_lip_in_the_light_is_no_enamel(
    colour: tuple[float, ...], lips: tuple[float, ...], enamel: bool
) -> None:
    skin = torch.zeros(1, COMPLEXION)
    skin[:, 4:] = torch.tensor(lips).log()
    assert surely_enamel(torch.tensor([colour]), skin) == enamel
