import pytest
import torch

from media.faces.landmarks import LOWER_LIDS, UPPER_LIDS
from models.landmarks_to_video.warping import (
    FLOW_STRIDE,
    blend_in,
    border_anchors,
    flow_coordinates,
    landmark_flow,
    pixel_grid,
    sample,
    spline_flow,
    thin_plate_flow,
    upsample_flow,
)
from tests.unit.models.faces import face_landmarks, face_picture


def points(**face: float) -> torch.Tensor:
    return torch.from_numpy(face_landmarks(**face))[None]  # type: ignore[arg-type]


def test_an_unregularised_spline_meets_every_landmark() -> None:
    source, target = points(opening=4), points(opening=18)
    flow = thin_plate_flow(target, source, target, regularization=0)
    torch.testing.assert_close(target + flow, source, atol=1e-3, rtol=0)


def test_the_spline_opens_lips_that_touch_in_the_portrait() -> None:
    source, target = points(opening=0.01), points(opening=16)
    missed = (target + thin_plate_flow(target, source, target) - source).norm(dim=-1)
    moved = (target - source).norm(dim=-1)
    assert missed.mean() < 0.25 * moved.mean()


def test_lids_that_cross_in_the_target_do_not_fold_the_warp() -> None:
    source, target = points(), points()
    middle = (target[:, UPPER_LIDS] + target[:, LOWER_LIDS]) / 2
    target[:, UPPER_LIDS], target[:, LOWER_LIDS] = middle + 0.5, middle - 0.5
    column = torch.stack([torch.full((40,), 94.0), torch.arange(85.0, 125.0)], dim=-1)[None]
    folded = (column + thin_plate_flow(target, source, column))[0, :, 1].diff()
    parted = (column + landmark_flow(source, target, column))[0, :, 1].diff()
    assert folded.min() < 0 < parted.min()


def test_the_border_holds_still_while_the_face_moves() -> None:
    source = points()
    anchors = border_anchors()[None]
    flow = thin_plate_flow(source + torch.tensor([4.0, 2.0]), source, anchors)
    assert flow.abs().max() < 0.3


def test_landmarks_at_rest_give_no_flow() -> None:
    assert spline_flow(points(), points()).abs().max() == 0


def test_a_face_does_not_depend_on_its_batch() -> None:
    source, target = points(), torch.cat([points(opening=9), points(opening=3, shift=(5, 2))])  # type: ignore[arg-type]
    together = spline_flow(source.expand(2, -1, -1), target)
    torch.testing.assert_close(together[1:], spline_flow(source, target[1:]), atol=1e-3, rtol=0)


def test_sampling_at_the_pixels_returns_the_picture() -> None:
    picture = torch.from_numpy(face_picture()).permute(2, 0, 1)[None].float()
    again = sample(picture, pixel_grid(256, 256)[None])
    torch.testing.assert_close(again, picture, atol=0.02, rtol=0)


def test_a_flow_brings_the_pixel_it_points_at() -> None:
    picture = torch.zeros(1, 1, 16, 16)
    picture[0, 0, 5, 9] = 1
    flow = torch.tensor([3.0, -2.0]).reshape(1, 2, 1, 1).expand(1, 2, 16, 16)
    moved = sample(picture, flow_coordinates(flow))
    assert divmod(int(moved.argmax()), 16) == (7, 6)


@pytest.mark.parametrize("slope", [0.0, 0.25])
def test_an_enlarged_flow_agrees_with_its_nodes(slope: float) -> None:
    nodes = pixel_grid(8, 8, FLOW_STRIDE).permute(2, 0, 1)[None] * slope + 1
    dense = upsample_flow(nodes, FLOW_STRIDE)
    wanted = pixel_grid(32, 32).permute(2, 0, 1)[None] * slope + 1
    inner = (..., slice(4, -4), slice(4, -4))
    torch.testing.assert_close(dense[inner], wanted[inner])


@pytest.mark.parametrize("shared", [True, False])
def test_a_few_pixels_are_blended_in_as_far_as_they_weigh(shared: bool) -> None:
    picture = torch.rand(1 if shared else 2, 3, 16, 16)
    image = picture.expand(2, -1, -1, -1)
    places = 15 * torch.rand(2, 4, 5, 2)
    weight = torch.rand(2, 1, 4, 5).round(decimals=1) * (torch.arange(5) > 2)
    before = torch.rand(2, 3, 4, 5)
    colour = before.clone()
    blend_in(colour, weight, image, places)
    torch.testing.assert_close(colour, torch.lerp(before, sample(image, places), weight))
