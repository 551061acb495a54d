from itertools import pairwise

import pytest
import torch
from torch import Tensor

from models.landmarks_to_video.face_regions import MOUTH, window_origin
from models.landmarks_to_video.mouth.lip_shape import DRAWN_DOWN, smile
from models.landmarks_to_video.mouth.teeth_placement import LONGEST, bent_to, place_teeth
from tests.unit.models.faces import face_landmarks


def face(opening: float) -> Tensor:
    return torch.from_numpy(face_landmarks(opening=opening))[None]


def widened(landmarks: Tensor, factor: float) -> Tensor:
    wide = landmarks.clone()
    lips = wide[:, 48:68, 0]
    middle = lips.mean()
    wide[:, 48:68, 0] = middle + factor * (lips - middle)
    return wide


def test_a_wide_smile_bares_teeth_to_its_sides_and_keeps_the_front_ones() -> None:
    teeth = torch.zeros(1, 2, 4, 64, 128)
    teeth[..., 24:104] = 1
    teeth[..., :3, :, 56:72] = 0.5
    spans, fronts = [], []
    for factor in (0.7, 1.4):
        smile = widened(face(10), factor)
        placed = place_teeth(teeth, smile, window_origin(smile, MOUTH), MOUTH, scale=2)[0]
        visible, front = placed[3] > 0.5, (placed[0] - 0.5).abs() < 0.05
        width = 2 * (smile[0, 64, 0] - smile[0, 60, 0])
        spans.append(float(visible.any(dim=0).sum() / width))
        fronts.append(int(front.any(dim=0).sum()))
    assert spans[0] < 1.3
    assert spans[1] == pytest.approx(0.9, abs=0.04)
    assert 0 < fronts[0] == pytest.approx(fronts[1], abs=2)


def test_a_smile_of_a_turned_head_bares_teeth_up_to_both_corners() -> None:
    teeth = torch.zeros(1, 2, 4, 64, 128)
    teeth[..., 31:119] = 1
    smile = widened(face(10), 1.4)
    smile[:, 48:68, 0] += 5
    origin = window_origin(smile, MOUTH)
    placed = place_teeth(teeth, smile, origin, MOUTH, scale=2)[0]
    columns = (placed[3] > 0.5).any(dim=0).nonzero().flatten() / 2 + origin[0, 0]
    nose = smile[0, MOUTH.anchors[0], 0]
    for corner, end in ((60, columns.min()), (64, columns.max())):
        reached = (end - nose) / (smile[0, corner, 0] - nose)
        assert float(reached) == pytest.approx(0.9, abs=0.05)


def test_teeth_are_not_drawn_wider_than_teeth() -> None:
    teeth = torch.zeros(1, 2, 4, 64, 128)
    teeth[..., 54:74] = 1
    smile = widened(face(10), 1.4)
    placed = place_teeth(teeth, smile, window_origin(smile, MOUTH), MOUTH, scale=2)[0]
    width = 2 * (smile[0, 64, 0] - smile[0, 60, 0])
    assert float((placed[3] > 0.5).any(dim=0).sum() / width) < 0.4


def test_lower_teeth_leave_the_sides_of_a_wide_mouth_in_the_dark() -> None:
    teeth = torch.zeros(1, 2, 4, 64, 128)
    teeth[..., 40:88] = 1
    wide = widened(face(10), 1.4)
    placed = place_teeth(teeth, wide, window_origin(wide, MOUTH), MOUTH, scale=2)[0]
    upper, lower = (int((placed[row] > 0.5).any(dim=0).sum()) for row in (3, 7))
    assert lower < 0.9 * upper


def uncovered(landmarks: Tensor, longest: float = LONGEST) -> float:
    """Return which share of the opening's middle lies below the upper teeth."""
    teeth = torch.zeros(1, 2, 4, 64, 128)
    teeth[:, 0, 3, :48] = 1
    origin = window_origin(landmarks, MOUTH)
    placed = place_teeth(teeth, landmarks, origin, MOUTH, scale=2, longest=longest)[0, 3]
    column = int(2 * (landmarks[0, 62, 0] - origin[0, 0]))
    edge = float((placed[:, column] > 0.5).nonzero().max()) / 2 + float(origin[0, 1])
    upper, lower = landmarks[0, 62, 1], landmarks[0, 66, 1]
    return float((lower - edge) / (lower - upper))


def test_a_smile_bares_longer_teeth_than_speech() -> None:
    said, smiled = uncovered(face(10)), uncovered(widened(face(10), 1.4))
    assert 0.3 < said < 0.7
    assert smiled < said - 0.1


def test_teeth_beside_a_portraits_own_are_as_long_in_a_smile_as_in_speech() -> None:
    said, smiled = uncovered(face(10)), uncovered(widened(face(10), 1.4), longest=1.0)
    assert smiled == pytest.approx(said, abs=0.02)


def test_teeth_keep_their_length_where_the_jaw_drops() -> None:
    said, laughed = uncovered(face(26)), uncovered(widened(face(26), 1.4))
    assert laughed == pytest.approx(said, abs=0.02)


@pytest.mark.parametrize("ends", [(2.0, -2.0), (-3.0, 1.0)])
def test_the_sides_of_a_borrowed_row_meet_the_edge_of_an_own_one(ends: tuple[float, ...]) -> None:
    teeth, landmarks = torch.zeros(1, 2, 4, 128, 256), face(12)
    teeth[:, 0, 3, 20:96, 50:206] = 1
    origin = window_origin(landmarks, MOUTH)

    def edge(maps: Tensor, x: float) -> float:
        placed = place_teeth(maps, landmarks, origin, MOUTH, scale=2)[0, 3]
        column = placed[:, round(2 * (x - float(origin[0, 0])))]
        return float((column > 0.5).nonzero().max()) / 2 + float(origin[0, 1])

    middle, aside = float(landmarks[0, 62, 0]), 9.0
    before = edge(teeth, middle)
    own = [[middle - aside, before + ends[0]], [middle + aside, before + ends[1]]]
    teeth[:, 0] = bent_to(teeth[:, 0], landmarks, torch.tensor([own]), MOUTH)
    for sign, height in zip((-1, 1), ends, strict=True):
        for beyond in (0, 2):
            lower = edge(teeth, middle + sign * (aside + beyond)) - before
            assert lower == pytest.approx(min(height, 1.6), abs=0.8)


def bared(row: int, landmarks: Tensor) -> float:
    """Return how far given teeth reach into the opening, px from the lip that hides them."""
    teeth = torch.zeros(1, 2, 4, 128, 256)
    teeth[:, 0, 3, :112], teeth[:, 1, 3, 40:] = 1, 1
    origin = window_origin(landmarks, MOUTH)
    placed = place_teeth(teeth, landmarks, origin, MOUTH, scale=2, given=True)[0, 4 * row + 3]
    seen = (placed[:, int(2 * (landmarks[0, 62, 0] - origin[0, 0]))] > 0.5).nonzero()
    upper, lower = (2 * float(landmarks[0, i, 1] - origin[0, 1]) for i in (62, 66))
    return (float(seen.max()) - upper if row == 0 else lower - float(seen.min())) / 2


@pytest.mark.parametrize("opening", [2.0, 3.0, 4.0, 5.0])
def test_a_narrow_opening_stays_dark_below_the_edge_of_upper_teeth(opening: float) -> None:
    assert opening - 1.6 < bared(0, face(opening)) < opening - 0.4


def test_lower_teeth_come_out_from_behind_the_lip_as_the_jaw_drops_in_speech() -> None:
    heights = [bared(1, face(opening)) for opening in (6, 9, 12)]
    assert heights[0] <= 0.5
    assert heights[2] > heights[1] + 1.5
    slight = widened(face(14), 1.22)
    assert 0.1 < float(smile(slight)) < 0.6
    for smiling in (widened(face(12), 1.4), slight):
        assert bared(1, smiling) < -1


def test_lower_teeth_rise_more_slowly_than_the_jaw_drops() -> None:
    heights = [bared(1, face(opening)) for opening in (10, 12, 14, 16)]
    for lower, higher in pairwise(heights):
        assert 0.4 < higher - lower < 1.6


def test_teeth_beside_a_portraits_own_move_as_those_do() -> None:
    teeth = torch.zeros(1, 2, 4, 64, 128)
    teeth[:, 0, 3, :48, 40:88] = 1
    landmarks = face(10)
    origin = window_origin(landmarks, MOUTH)
    spots = []
    for way in ((0.0, 0.0), (0.05, -0.1)):
        moved = torch.tensor([way])
        placed = place_teeth(teeth, landmarks, origin, MOUTH, scale=2, longest=1.0, moved=moved)
        rows, columns = (placed[0, 3] > 0.5).nonzero().unbind(dim=1)
        spots.append((float(columns.float().mean()), float(rows.max())))
    assert spots[1][0] - spots[0][0] == pytest.approx(2 * 60 * 0.05, abs=0.6)
    assert spots[1][1] - spots[0][1] == pytest.approx(-2 * 60 * 0.1, abs=1)


def test_a_lip_that_is_drawn_down_bares_no_more_than_the_crowns_of_lower_teeth() -> None:
    teeth = torch.zeros(1, 2, 4, 64, 128)
    teeth[:, 1, 3, 24:] = 1
    rest, tops = face(0), []
    for drawn in (0.10, 0.14, 0.20):
        wide = face(20)
        wide[:, 66, 1] = rest[:, 66, 1] + 60 * drawn
        origin = window_origin(wide, MOUTH)
        placed = place_teeth(teeth, wide, origin, MOUTH, scale=2, rest=rest)[0, 7]
        column = placed[:, int(2 * (wide[0, 66, 0] - origin[0, 0]))]
        top = float((column > 0.5).nonzero().min()) / 2 + float(origin[0, 1])
        tops.append(float(wide[0, 66, 1]) - top)
    assert tops[1] - tops[0] == pytest.approx(60 * (DRAWN_DOWN - 0.10), abs=0.6)
    assert tops[2] == pytest.approx(tops[1], abs=0.6)
