"""The inside of an open mouth: its position and its content."""

import numpy as np
import pytest
import torch
from torch import Tensor

from models.landmarks_to_video.face_regions import MOUTH, window_origin
from models.landmarks_to_video.mouth.complexion import COMPLEXION
from models.landmarks_to_video.mouth.dentition import (
    TEETH_HEIGHT,
    TEETH_REACH,
    TEETH_WIDTH,
    Dentitions,
    read_teeth,
)
from models.landmarks_to_video.mouth.interior import (
    LIGHTEST_TONGUE,
    SPARSE,
    Interior,
    Opening,
    rolled_lip,
)
from models.landmarks_to_video.mouth.lip_shape import lower_lip
from models.landmarks_to_video.mouth.teeth_placement import place_teeth
from models.landmarks_to_video.upright import face_frame
from tests.unit.models.faces import face_with_lips


def opening_of(landmarks: Tensor, scale: int = 1) -> Opening:
    return Opening.of(landmarks, window_origin(landmarks, MOUTH), scale)


@pytest.mark.parametrize("scale", [1, 2])
@pytest.mark.parametrize("height", [6.0, 12.0, 20.0])
def test_the_opening_is_as_wide_as_the_inner_lips_are_apart(height: float, scale: int) -> None:
    opening = opening_of(face_with_lips(height), scale)
    tallest = opening.inside[0, 0].sum(dim=0).max() / scale
    assert float(tallest) == pytest.approx(height, abs=0.6)


@pytest.mark.parametrize(("width", "lower"), [(40, 2.0), (54, 0.0)])
def test_speech_draws_the_lower_lip_low_and_a_smile_does_not(width: float, lower: float) -> None:
    landmarks = face_with_lips(12, width)
    origin = window_origin(landmarks, MOUTH)
    plain, lowered = (
        Opening.of(landmarks, origin, scale=2, lowered=by).inside[0, 0].sum(dim=0).max() / 2
        for by in (0.0, 2.0)
    )
    assert float(lowered - plain) == pytest.approx(lower, abs=0.3)


def test_the_opening_stays_between_the_lips_of_a_turned_head() -> None:
    """Seen from the side, the points of one half of the lips lie close together."""
    landmarks = face_with_lips(0)
    landmarks[:, 60:68] = torch.tensor(
        [
            *((108.5, 179.4), (112.8, 176.0), (116.7, 176.4), (125.0, 176.7)),
            *((155.6, 180.3), (125.6, 189.8), (117.4, 189.4), (113.2, 188.0)),
        ]
    )
    inside = opening_of(landmarks, scale=2).inside[0, 0]
    assert float(inside.sum(dim=0).max()) / 2 == pytest.approx(13, abs=1)


def test_lips_that_touch_have_nothing_between_them() -> None:
    assert float(opening_of(face_with_lips(0)).inside.max()) == 0


def test_a_wide_opening_is_dark_with_teeth_above_it() -> None:
    landmarks = face_with_lips(20)
    opening = opening_of(landmarks)
    teeth = torch.zeros(1, 8, MOUTH.height, MOUTH.width)
    teeth[:, :4] = (opening.below_upper < 5).float()
    drawn = inside_of(landmarks, teeth, skin=0.6)
    column = drawn[0, :, :, MOUTH.width // 2].mean(dim=0)
    below_upper = opening.below_upper[0, 0, :, MOUTH.width // 2]
    upper = column[(below_upper > 2) & (below_upper < 4)]
    cavity = column[(below_upper > 5) & (below_upper < 6)]
    assert float(upper.min()) > 0.4
    assert float(cavity.max()) < 0.2


def test_the_tongue_is_a_dome_with_a_groove() -> None:
    opening = opening_of(face_with_lips(20), scale=2)
    light = inside_of(face_with_lips(20), torch.zeros(1, 8, 1, 1), scale=2).mean(dim=1)[0]
    above, aside = opening.above_lower[0, 0], opening.sideways[0, 0].abs()

    def at(height: float, side: float) -> float:
        """Return the light that high above the lower lip, px, and that far from the middle."""
        return float(light[((above - height).abs() < 0.5) & ((aside - side).abs() < 0.01)].mean())

    crest = at(8, 0.06)
    assert at(8, 0) < 0.98 * crest
    assert crest > 1.5 * at(8, 0.24) > 1.5 * at(8, 0.31)
    assert crest > 2.5 * at(1.5, 0.06)
    assert at(5, 0.06) > 1.15 * at(5, 0.2)
    assert crest > 1.3 * at(12, 0.06) > 1.3 * at(15, 0.06)


def test_the_tongue_stands_in_the_dark_of_a_narrow_opening() -> None:
    def front(height: float) -> float:
        drawn = inside_of(face_with_lips(height), torch.zeros(1, 8, 1, 1))[0].amax(dim=0)
        return float(drawn.max())

    assert front(8) < 0.65 * front(16)


def test_a_tongue_does_not_glow_in_the_shade() -> None:
    def lightest(skin: float) -> float:
        drawn = inside_of(face_with_lips(20), torch.zeros(1, 8, 1, 1), skin)
        return float(drawn.mean(dim=1).max()) / skin

    assert lightest(0.6) < 1 < lightest(0.2)
    assert lightest(0.05) == pytest.approx(lightest(0.1), rel=0.01)
    assert lightest(0.05) < LIGHTEST_TONGUE


def test_a_smile_lets_more_light_fall_on_upper_teeth_than_speech() -> None:
    smiling, speaking = (brightness(face_with_lips(8, width)) for width in (52, 42))
    assert speaking < 0.95 * smiling


def test_a_narrow_opening_lets_less_light_fall_on_teeth() -> None:
    narrow, wide = (brightness(face_with_lips(height), 2) for height in (4, 14))
    assert 0.3 < narrow / wide < 0.8


def test_rounded_lips_keep_the_light_out() -> None:
    rounded, spread = (brightness(face_with_lips(10, width), 3) for width in (30, 42))
    assert rounded < 0.6 * spread


def test_rounded_lips_leave_a_tongue_in_the_dark() -> None:
    def tongue(width: float) -> float:
        """Return how much redder than the back of the mouth its front is."""
        landmarks = face_with_lips(14, width)
        opening, drawn = opening_of(landmarks), inside_of(landmarks, torch.zeros(1, 8, 1, 1))
        red, middle = drawn[:, :1], opening.sideways.abs() < 0.1
        front, back = (
            red[middle & ((opening.above_lower - height).abs() < 0.6)].mean() for height in (5, 12)
        )
        return float(front - back)

    assert 0.3 * tongue(42) < tongue(30) < 0.7 * tongue(42)


def lower_teeth(landmarks: Tensor, above: float) -> float:
    """Return how much light lower teeth add so many px above the opening's lower edge."""
    black, white = (torch.zeros(1, 8, MOUTH.height, MOUTH.width) for _ in range(2))
    black[:, 7], white[:, 4:] = 1, 1
    opening = opening_of(landmarks)
    near = ((opening.above_lower - above).abs() < 0.6) & (opening.sideways.abs() < 0.2)
    seen = inside_of(landmarks, white) - inside_of(landmarks, black)
    return float(seen[near.expand(-1, 3, -1, -1)].mean())


def test_the_lower_lip_shades_the_teeth_behind_it() -> None:
    assert lower_teeth(face_with_lips(18), 0.6) < 0.85 * lower_teeth(face_with_lips(18), 4)


@pytest.mark.parametrize("scale", [1, 2])
def test_lower_teeth_lie_in_the_shade_just_below_upper_ones(scale: int) -> None:
    opening = opening_of(face_with_lips(18), scale)
    teeth = torch.ones(1, 8, scale * MOUTH.height, scale * MOUTH.width)
    teeth[:, 3:4] = (opening.below_upper < 8).float()
    drawn = Interior()(opening, teeth, torch.zeros(1, COMPLEXION)).detach().mean(dim=1)[0]
    column, below = (m[:, scale * MOUTH.width // 2] for m in (drawn, opening.below_upper[0, 0]))
    upper, dark, light = (column[(below - at).abs().argmin()] for at in (6.0, 8.5, 12.0))
    assert float(dark) < 0.6 * float(upper)
    assert float(dark) < 0.6 * float(light)


def test_teeth_are_drawn_in_full_or_not_at_all() -> None:
    white = torch.zeros(1, 8, MOUTH.height, MOUTH.width)
    white[:, :4] = 1
    light = []
    for height in (1.4, 2.6, 4.0):
        landmarks = face_with_lips(height)
        opening = opening_of(landmarks)
        middle = (opening.sideways.abs() < 0.05) & (opening.below_upper > 0)
        middle = middle & (opening.above_lower > 0)
        added = inside_of(landmarks, white) - inside_of(landmarks, torch.zeros_like(white))
        light.append(float(added.mean(dim=1, keepdim=True)[middle].max()))
    assert light[0] < 0.01
    assert light[1] > 0.6 * light[2]


@pytest.mark.parametrize("slant", [-1.2, 1.2])
def test_teeth_on_the_side_away_from_the_light_lie_in_its_shade(slant: float) -> None:
    opening = opening_of(face_with_lips(12))
    teeth, skin = torch.ones(1, 8, MOUTH.height, MOUTH.width), torch.zeros(1, COMPLEXION)
    even, aside = (
        Interior()(opening, teeth, skin, light).detach().mean(dim=1, keepdim=True)
        for light in (None, torch.tensor([slant]))
    )
    share = (aside / even)[opening.inside == 1]
    towards_light = opening.sideways[opening.inside == 1] * slant
    assert float(share[towards_light > 0.1].min()) == pytest.approx(1)
    assert 0.6 < float(share[towards_light < -0.2].mean()) < 0.85


def test_lipstick_leaves_teeth_their_colour() -> None:
    inside = Interior()
    torch.nn.init.constant_(inside.enamel.weight, 0.1)
    natural, painted = torch.zeros(1, COMPLEXION), torch.zeros(1, COMPLEXION)
    natural[:, 5], painted[:, 5] = -1.4, -2.6
    assert torch.equal(inside.enamel_colour(natural), inside.enamel_colour(painted))


def test_enamel_is_dimmer_in_the_shade_than_a_root_law_has_it() -> None:
    inside = Interior()
    lit, dim = torch.zeros(1, COMPLEXION), torch.zeros(1, COMPLEXION)
    dim[:, 0] = -1.4
    ratio = inside.enamel_colour(dim) / inside.enamel_colour(lit)
    assert float(ratio.detach().mean()) == pytest.approx(float(np.exp(-0.7 - 0.15)))


def test_teeth_beside_a_portraits_own_are_as_light_in_every_opening() -> None:
    skin, teeth, light = torch.zeros(1, COMPLEXION), torch.ones(1, 8, 1, 1), []
    for height in (6, 16):
        opening = opening_of(face_with_lips(height))
        at = (opening.below_upper.round() == 3) & (opening.sideways.abs() < 0.02)
        for beside_own in (False, True):
            drawn = Interior()(opening, teeth, skin, beside_own=beside_own).detach()
            light.append(float(drawn.mean(dim=1, keepdim=True)[at].mean()))
    narrow, narrow_own, wide, wide_own = light
    assert narrow < 0.9 * wide
    assert narrow_own == pytest.approx(wide_own, rel=0.03)
    assert narrow_own > wide


def test_a_thin_lower_lip_is_drawn_below_the_opening_and_a_full_one_is_not() -> None:
    opening, skin = opening_of(face_with_lips(12)), torch.zeros(1, COMPLEXION)
    skin[:, 0], skin[:, 5] = -0.5, -0.4
    colour, seen = rolled_lip(opening, skin, torch.tensor([0.06]))
    assert colour.flatten().tolist() == pytest.approx(np.exp([-0.5, -0.9, -0.5]).tolist())
    middle = opening.sideways.abs() < 0.05
    below = -opening.above_lower
    assert float(seen[middle & (below > 0) & (below < 1.5)].min()) > 0.7
    assert float(seen[below > 6].max()) == 0
    assert float(seen[opening.above_lower > 2].max()) == 0
    _, full = rolled_lip(opening, skin, torch.tensor([SPARSE[1]]))
    assert float(full.max()) == 0


def test_the_lower_lip_is_measured_in_interocular_distances() -> None:
    landmarks = face_with_lips(4)
    distance, _ = face_frame(landmarks)
    landmarks[:, 57] = landmarks[:, 66] + distance * torch.tensor([[0.0, 0.11]])
    assert float(lower_lip(landmarks)) == pytest.approx(0.11, abs=1e-4)


@pytest.mark.parametrize("height", [14.0, 20.0])
def test_the_retouch_reaches_deep_into_smiles_alone(height: float) -> None:
    opening = opening_of(face_with_lips(height))
    deep = (opening.below_upper > 4) & (opening.above_lower > 6)
    assert float(opening.reach[deep].max()) == 0
    smiling = opening_of(face_with_lips(11, width=56))
    assert float(smiling.reach[smiling.inside > 0.9].min()) == pytest.approx(1, abs=0.01)


def inside_of(landmarks: Tensor, teeth: Tensor, skin: float = 1.0, scale: int = 1) -> Tensor:
    """Return the drawing `[1, 3, h, w]` of a mouth in a face whose skin has that brightness."""
    complexion = torch.zeros(1, COMPLEXION)
    complexion[:, 0] = np.log(skin)
    drawn: Tensor = Interior()(opening_of(landmarks, scale), teeth, complexion)
    return drawn.detach()


def brightness(landmarks: Tensor, below_upper: float = 4.0) -> float:
    """Return that of upper teeth in the middle, so many px below the upper lip."""
    opening = opening_of(landmarks)
    drawn = inside_of(landmarks, torch.ones(1, 8, MOUTH.height, MOUTH.width))
    near = (opening.below_upper - below_upper).abs() < 1
    return float(drawn[(near & (opening.sideways.abs() < 0.1)).expand(-1, 3, -1, -1)].mean())


def test_nothing_of_the_lips_lies_over_what_they_have_parted_from() -> None:
    assert float(opening_of(face_with_lips(1.0)).inside.max()) == 0
    assert float(opening_of(face_with_lips(2.5)).inside.max()) == 1


@pytest.mark.parametrize("height", [14.0, 20.0])
def test_teeth_read_from_a_photograph_are_put_back_where_they_were(height: float) -> None:
    landmarks, rest = face_with_lips(height), face_with_lips(0)
    y, x = torch.meshgrid(torch.arange(512.0), torch.arange(512.0), indexing="ij")
    waves = torch.stack([torch.sin(x / 7), torch.cos(y / 6), torch.sin((x + y) / 9)]) * 0.3 + 0.5
    teeth, colour = read_teeth(waves[None], landmarks, torch.zeros(1, 2), scale=2, rest=rest)
    origin = window_origin(landmarks, MOUTH)
    placed = place_teeth(teeth, landmarks, origin, MOUTH, scale=2, rest=rest)
    left, top = (2 * origin[0]).tolist()
    window = waves[:, top : top + 2 * MOUTH.height, left : left + 2 * MOUTH.width]
    for row in placed.reshape(2, 4, *placed.shape[2:]):
        visible = row[3] > 0.99
        difference = (row[:3] * colour[0, :, None, None] - window).abs()[:, visible]
        assert visible.sum() > 500
        assert float(difference.mean()) < 0.03


def test_a_closed_portrait_is_given_teeth_at_its_own_lips() -> None:
    dentitions = Dentitions(1)
    dentitions.maps[0, :4, 40:64, 80:176] = 1
    given = [dentitions.borrowed(face_with_lips(0) + torch.tensor([0.0, down])) for down in (0, 40)]
    torch.testing.assert_close(given[0], given[1])
    turned = face_with_lips(0)
    turned[:, 48:68] += torch.tensor([4.0, 3.0])
    rows, columns = zip(*(map(edges_of, (given[0], dentitions.borrowed(turned)))), strict=True)
    distance = float(face_frame(turned)[0])
    down, right = 3 / distance / TEETH_REACH[1], 4 / distance / TEETH_REACH[0]
    assert rows[1] - rows[0] == pytest.approx(down * TEETH_HEIGHT / 2, abs=1)
    assert columns[1] - columns[0] == pytest.approx(right * TEETH_WIDTH / 2, abs=1)


def edges_of(teeth: Tensor) -> tuple[int, int]:
    """Return the last row and the last column of the upper map that show teeth."""
    shown = teeth[0, 0, 3] > 0.5
    return int(shown.any(dim=1).nonzero()[-1]), int(shown.any(dim=0).nonzero()[-1])


@pytest.mark.parametrize(
    ("bared", "height", "kept"), [(1.0, 16.0, 0.0), (5.0, 16.0, 1.0), (1.0, 3.0, 1.0)]
)
def test_a_sliver_of_upper_teeth_in_a_wide_opening_gives_way(
    bared: float, height: float, kept: float
) -> None:
    opening = opening_of(face_with_lips(height))
    upper = ((opening.below_upper > 0) & (opening.below_upper < bared)).float()
    assert float(opening.no_sliver(upper, 1)) == pytest.approx(kept, abs=0.15)
