"""What is read from portraits that show their teeth."""

import pytest
import torch
from torch import Tensor

from models.landmarks_to_video.mouth.open_mouth import read_open_mouth
from models.landmarks_to_video.mouth.teeth_line import DEPTHS
from models.landmarks_to_video.mouth.tooth_rows import SOFT_UNTIL, TEETH_GIVE
from tests.unit.models.landmarks_to_video.open_portraits import (
    BLACK,
    DARK,
    LIP_SHADE,
    SHADED,
    SKIN,
    TONGUE,
    WHITE,
    Part,
    portrait,
    with_a_spot,
    with_parts,
)


def line_of(image: Tensor, landmarks: Tensor) -> Tensor:
    """Return the middle of the line `[40]` along which a portrait that shows teeth parts."""
    mouth = read_open_mouth(image, landmarks, 1, SKIN)
    assert mouth is not None
    assert mouth.upper.shown or mouth.lower.shown
    return mouth.line[0, 12:-12]


@pytest.mark.parametrize("end", [0.6, 1.0])
def test_the_line_lies_below_upper_teeth(end: float) -> None:
    assert line_of(*portrait(12, WHITE, (0, end))).min() > end - 0.08


def test_the_line_lies_above_lower_teeth() -> None:
    assert line_of(*portrait(12, WHITE, (0.5, 1))).max() < 0.5


def test_a_line_between_two_teeth_does_not_bend_it() -> None:
    image, landmarks = portrait(12, WHITE, (0, 0.6))
    image[..., 128] *= 0.5
    assert line_of(image, landmarks).diff().abs().max() < 1.5 / DEPTHS


def test_a_tongue_is_no_tooth() -> None:
    image, landmarks = portrait(16, WHITE, (0, 0.4))
    tongue, _ = portrait(16, TONGUE, (0.7, 1))
    is_tongue = (tongue - torch.tensor(TONGUE).reshape(1, 3, 1, 1)).abs().amax(dim=1) < 0.01
    image = torch.where(is_tongue[:, None], tongue, image)
    line = line_of(image, landmarks)
    assert 0.35 < line.min() <= line.max() < 0.75


def test_all_of_a_mouth_without_teeth_goes_with_the_lower_lip() -> None:
    mouth = read_open_mouth(*portrait(12, DARK), 1, SKIN)
    assert mouth is not None
    assert not mouth.upper.shown
    assert not mouth.lower.shown
    assert mouth.line.max() == 0


@pytest.mark.parametrize(("span", "rows"), [((0, 0.6), (True, False)), ((0.5, 1), (False, True))])
def test_teeth_are_told_from_what_lies_beyond_the_line(
    span: tuple[float, float], rows: tuple[bool, bool]
) -> None:
    mouth = read_open_mouth(*portrait(12, WHITE, span), 1, SKIN)
    assert mouth is not None
    assert (mouth.upper.shown, mouth.lower.shown) == rows


def test_both_rows_are_found_where_both_are_seen() -> None:
    image, landmarks = portrait(12, WHITE)
    dark, _ = portrait(12, DARK)
    image[:, :, 178:180] = dark[:, :, 178:180]
    mouth = read_open_mouth(image, landmarks, 1, SKIN)
    assert mouth is not None
    assert mouth.upper.shown
    assert mouth.lower.shown


def test_a_row_of_teeth_ends_where_they_do() -> None:
    image, landmarks = portrait(12, WHITE, (0, 0.6))
    dark, _ = portrait(12, DARK)
    image[..., :118], image[..., 138:] = dark[..., :118], dark[..., 138:]
    mouth = read_open_mouth(image, landmarks, 1, SKIN)
    assert mouth is not None
    seen = mouth.upper.seen[0]
    assert seen[20:-20].min() == 1
    assert seen[:10].max() == seen[-10:].max() == 0


def test_the_height_and_the_width_of_a_row_are_read() -> None:
    image, landmarks = portrait(12, WHITE, (0, 0.6))
    dark, _ = portrait(12, DARK)
    image[..., :118], image[..., 138:] = dark[..., :118], dark[..., 138:]
    mouth = read_open_mouth(image, landmarks, 1, SKIN)
    assert mouth is not None
    assert 60 * mouth.tips == pytest.approx(0.6 * 12, abs=1)
    assert 60 * mouth.half == pytest.approx(10, abs=1.5)


def test_the_stumps_in_a_mouths_corners_are_no_part_of_its_row() -> None:
    mouth = read_open_mouth(*portrait(12, WHITE), 1, SKIN)
    assert mouth is not None
    assert mouth.upper.seen[0, 12:-12].min() == 1
    assert mouth.upper.seen[0, [0, 1, 2, -3, -2, -1]].max() == 0


def test_only_the_tips_of_teeth_are_drawn_longer() -> None:
    tips, row = (read_open_mouth(*portrait(high, WHITE, (0, 0.7)), 1, SKIN) for high in (5, 14))
    assert tips is not None
    assert row is not None
    assert tips.upper.give > 1.5
    assert row.upper.give == TEETH_GIVE


def test_a_tooth_that_stands_alone_on_the_lower_lip_gives_way_and_the_row_above_stays() -> None:
    image, landmarks = portrait(14, WHITE, (0, 0.5))
    scrap = slice(134, 139)
    image[..., scrap] = torch.minimum(image[..., scrap], portrait(14, DARK)[0][..., scrap])
    image[..., scrap] = torch.maximum(
        image[..., scrap], portrait(14, WHITE, (0.75, 1))[0][..., scrap] * (image[..., scrap] < 0.6)
    )
    mouth = read_open_mouth(image, landmarks, 1, SKIN)
    assert mouth is not None
    assert mouth.upper.shown
    assert not mouth.lower.shown
    assert float(mouth.upper.gone.max()) == 0
    assert float(mouth.lower.gone.max()) == 1
    assert float(mouth.lower.gone.mean()) < 0.5


def test_teeth_that_touch_the_row_above_are_no_scrap() -> None:
    image, landmarks = portrait(14, WHITE, (0, 0.6))
    longer = slice(126, 130)
    image[..., longer] = portrait(14, WHITE, (0, 0.8))[0][..., longer]
    mouth = read_open_mouth(image, landmarks, 1, SKIN)
    assert mouth is not None
    assert float(mouth.lower.gone.max()) == 0


def test_closed_lips_are_no_open_mouth() -> None:
    assert read_open_mouth(*portrait(0, WHITE), 1, SKIN) is None
    assert read_open_mouth(*portrait(1, WHITE), 1, SKIN) is None


def test_borrowed_upper_teeth_have_the_hue_of_the_last_own_ones_and_lower_that_of_all() -> None:
    image, landmarks = portrait(12, WHITE, (0, 0.6))
    yellow, _ = portrait(12, (0.72, 0.71, 0.48), (0, 0.6))
    aside = [*range(120), *range(136, 256)]
    image[..., aside] = yellow[..., aside]
    mouth = read_open_mouth(image, landmarks, 1, SKIN)
    assert mouth is not None
    assert mouth.upper.shown
    assert mouth.last is not None
    red, _, blue = mouth.last[0].tolist()
    assert 0.64 < blue / red < 0.78
    assert float(mouth.last.mean()) > 0.7
    red, _, blue = mouth.enamel[0].tolist()
    assert blue / red > 0.82


def test_an_own_row_ends_where_its_edge_does() -> None:
    image, landmarks = portrait(12, WHITE, (0, 0.6))
    mouth = read_open_mouth(image, landmarks, 1, SKIN)
    assert mouth is not None
    assert mouth.ends is not None
    (left, left_y), (right, right_y) = mouth.ends[0].tolist()
    middle = float(landmarks[0, 62, 0])
    assert middle - left == pytest.approx(right - middle, abs=1)
    assert 5 < right - middle < float(landmarks[0, 64, 0]) - middle
    assert left_y == pytest.approx(right_y, abs=0.5)
    assert float(landmarks[0, 62, 1]) < left_y < float(landmarks[0, 66, 1])
    few = read_open_mouth(*with_a_spot(5, (0, 0.8), slice(122, 135)), 1, SKIN)
    assert few is not None
    assert few.ends is None


@pytest.mark.parametrize(("end", "dark"), [(147, 0), (140, 1), (132, 0)])
def test_a_corner_beside_a_broad_row_stays_dark(end: int, dark: float) -> None:
    """The lips reach from 108 to 148 px; beside a narrow row, the next teeth are missing."""
    image, landmarks = portrait(8, WHITE)
    landmarks[:, 36:42, 0] += 8
    landmarks[:, 42:48, 0] -= 8
    image[..., end:149] = torch.tensor(DARK)[None, :, None, None]
    mouth = read_open_mouth(image, landmarks, 1, SKIN)
    assert mouth is not None
    assert float(mouth.dark[0, -1]) == pytest.approx(dark, abs=0.1)
    assert float(mouth.dark[0, 0]) == 0


def test_a_mere_strip_below_a_row_gives_way_before_a_whole_floor_does() -> None:
    def given_way(end: float) -> float:
        image, landmarks = portrait(14, WHITE, (0, end))
        mouth = read_open_mouth(image, landmarks, 1, SKIN)
        assert mouth is not None
        assert mouth.upper.shown
        assert not mouth.lower.shown
        return mouth.lower.soft[0]

    assert given_way(0.9) < given_way(0.5) == SOFT_UNTIL


def test_the_light_rim_of_a_lip_is_no_row_of_teeth() -> None:
    image, landmarks = portrait(14, WHITE, (0, 0.75))
    rim = portrait(14, WHITE, (0.95, 1))[0]
    mouth = read_open_mouth(torch.maximum(image, rim), landmarks, 1, SKIN)
    assert mouth is not None
    assert mouth.upper.shown
    assert not mouth.lower.shown


def test_no_drawn_tongue_or_teeth_stand_beside_an_own_floor_with_teeth() -> None:
    image, landmarks = portrait(24, WHITE, (0, 0.35))
    floor = torch.maximum(image, portrait(24, WHITE, (0.7, 1))[0])
    found = [read_open_mouth(shown, landmarks, 1, SKIN) for shown in (image, floor)]
    assert [mouth is not None and mouth.lower.shown for mouth in found] == [False, True]
    assert [mouth is not None and mouth.deep for mouth in found] == [False, True]
    assert [mouth is not None and mouth.borrows_lower for mouth in found] == [True, False]


def test_borrowed_teeth_meet_the_tips_of_an_own_row_and_not_the_dark_below_it() -> None:
    def end_of(line_dark: float) -> float:
        image, landmarks = portrait(20, WHITE, (0, 0.4))
        image = torch.maximum(image, portrait(20, (0.3, 0.2, 0.2), (0.4, line_dark))[0])
        mouth = read_open_mouth(image, landmarks, 1, SKIN)
        assert mouth is not None
        assert mouth.ends is not None
        return float(mouth.ends[0, :, 1].mean())

    assert end_of(0.4) == pytest.approx(end_of(0.6), abs=0.8)


@pytest.mark.parametrize(
    ("teeth", "rows"), [(0.15, (True, False)), (0.4, (False, True))], ids=["lip", "cavity"]
)
def test_dark_teeth_hang_from_a_lip_in_the_shade_and_light_ones_stand_below_a_cavity(
    teeth: float, rows: tuple[bool, bool]
) -> None:
    """Above the brightest teeth, it is dark alike: teeth in the lip's shadow are no cavity."""
    parts: list[Part] = [(LIP_SHADE, (0, teeth)), (SHADED, (teeth, 0.4)), (WHITE, (0.4, 1))]
    mouth = read_open_mouth(*with_parts(9, *parts), 1, SKIN)
    assert mouth is not None
    assert (mouth.upper.shown, mouth.lower.shown) == rows


def test_clenched_rows_below_a_lip_in_the_shade_part_where_they_bite() -> None:
    rows: list[Part] = [
        (LIP_SHADE, (0, 0.12)),
        (SHADED, (0.12, 0.35)),
        (WHITE, (0.35, 0.66)),
        (WHITE, (0.74, 1)),
    ]
    mouth = read_open_mouth(*with_parts(14, *rows), 1, SKIN)
    assert mouth is not None
    assert mouth.upper.shown
    assert mouth.lower.shown
    assert 0.6 < float(mouth.line[0, 16:-16].min()) <= float(mouth.line[0, 16:-16].max()) < 0.8


def test_a_light_lower_lip_does_not_draw_the_line_below_it() -> None:
    parts: list[Part] = [(SHADED, (0, 0.3)), (WHITE, (0.3, 0.65)), ((1, 0.95, 0.9), (0.8, 1))]
    line = line_of(*with_parts(12, *parts))
    assert 0.6 < line.min() <= line.max() < 0.8


def test_upper_teeth_that_fill_little_of_a_wide_opening_are_a_row() -> None:
    """They take up a seventh of what the lips bare, and in a slight opening as much is none."""
    for opening, shown in ((22, True), (4, False)):
        mouth = read_open_mouth(*portrait(opening, WHITE, (0, 0.22)), 1, SKIN)
        assert mouth is not None
        assert mouth.upper.shown == shown


def test_a_pale_tongue_that_is_put_out_goes_with_the_lower_lip() -> None:
    mouth = read_open_mouth(*with_parts(30, (SHADED, (0, 0.3)), (WHITE, (0.3, 1))), 1, SKIN)
    assert mouth is not None
    assert not mouth.upper.shown


@pytest.mark.parametrize(
    ("opening", "inside", "drawn"),
    [(4, (0.24, 0.17, 0.16), True), (12, (0.24, 0.17, 0.16), False), (4, BLACK, False)],
    ids=["dim", "wide", "black"],
)
def test_dim_teeth_in_a_slight_opening_give_way_to_drawn_ones(
    opening: float, inside: tuple[float, float, float], drawn: bool
) -> None:
    mouth = read_open_mouth(*portrait(opening, inside), 1, SKIN)
    assert mouth is not None
    assert mouth.gives_way == drawn


def test_a_light_lower_lip_is_not_read_as_upper_teeth() -> None:
    pink, shaded_pink, red = (0.85, 0.54, 0.54), (0.493, 0.313, 0.313), SKIN.clone()
    red[:, 4:] = torch.tensor((1.3, 0.55, 0.55)).log()
    for colour, shaded, shown in ((WHITE, SHADED, True), (pink, shaded_pink, False)):
        parts: list[Part] = [(LIP_SHADE, (0, 0.15)), (shaded, (0.15, 0.4)), (colour, (0.4, 1))]
        mouth = read_open_mouth(*with_parts(9, *parts), 1, red)
        assert mouth is not None
        assert mouth.lower.shown != shown
        assert mouth.upper.shown == shown
