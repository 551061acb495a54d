import pytest
import torch

from models.landmarks_to_video.face_regions import (
    EYES,
    GEOMETRY_CHANNELS,
    MOUTH,
    STRIDE,
    Region,
    cut,
    feather,
    mean_height,
    opening_mask,
    paste,
    region_geometry,
    region_shape,
    signed_distance,
    window_origin,
)
from tests.unit.models.faces import face_landmarks

SQUARE = torch.tensor([[[2.0, 2.0], [10.0, 2.0], [10.0, 10.0], [2.0, 10.0]]])


@pytest.mark.parametrize(
    ("point", "distance"), [((6, 6), 4), ((6, 3), 1), ((6, 0), -2), ((13, 14), -5), ((2, 5), 0)]
)
def test_signed_distance_is_positive_inside(point: tuple[float, float], distance: float) -> None:
    measured = signed_distance(torch.tensor([[point]], dtype=torch.float32), SQUARE)
    assert measured.item() == pytest.approx(distance, abs=1e-3)


@pytest.mark.parametrize("region", [MOUTH, EYES])
def test_a_window_holds_its_landmarks_and_keeps_the_grid(region: Region) -> None:
    landmarks = torch.from_numpy(face_landmarks(opening=20))[None]
    origin = window_origin(landmarks, region)
    inside = landmarks[0, list(region.outline)] - origin
    assert (origin % STRIDE == 0).all()
    assert inside.min() > 0
    assert (inside < torch.tensor([region.width, region.height])).all()


def test_a_window_stays_in_the_crop() -> None:
    landmarks = torch.from_numpy(face_landmarks(shift=(120, 90)))[None]
    origin = window_origin(landmarks, MOUTH)
    assert (origin + torch.tensor([MOUTH.width, MOUTH.height]) <= 256).all()


@pytest.mark.parametrize("region", [MOUTH, EYES])
def test_geometry_is_bounded_and_half_the_window_size(region: Region) -> None:
    landmarks = torch.from_numpy(face_landmarks(opening=8))[None]
    maps = region_geometry(landmarks, region, window_origin(landmarks, region))
    assert maps.shape == (1, GEOMETRY_CHANNELS, region.height // 2, region.width // 2)
    assert maps.abs().max() < 2


def test_a_shape_ignores_where_the_face_is_and_how_large() -> None:
    face = torch.from_numpy(face_landmarks(opening=8))[None]
    shapes = [region_shape(points, EYES) for points in (face, face * 1.3 + 7)]
    torch.testing.assert_close(*shapes, atol=1e-4, rtol=0)


def test_the_mouth_mask_grows_with_the_opening() -> None:
    faces = [torch.from_numpy(face_landmarks(opening=o))[None] for o in (2, 20)]
    narrow, wide = (
        opening_mask(face, MOUTH, window_origin(face, MOUTH), grow=0, polygon=0) for face in faces
    )
    assert wide.sum() > 4 * narrow.sum()


def test_the_feather_is_nothing_at_the_edge_and_all_inside() -> None:
    weights = feather(MOUTH)[0]
    edge = torch.cat([weights[0], weights[-1], weights[:, 0], weights[:, -1]])
    assert edge.max() == 0
    assert (weights[10:-10, 10:-10] == 1).all()


def test_paste_undoes_cut_and_touches_nothing_else() -> None:
    image = torch.rand(2, 3, 40, 40)
    origin = torch.tensor([[3, 5], [10, 0]])
    assert paste(image, cut(image, origin, 8, 12), origin).equal(image)
    changed = paste(image, torch.zeros(2, 3, 8, 12), origin)
    assert changed[0, :, 5:13, 3:15].abs().max() == 0
    assert (changed != image).sum() <= 2 * 3 * 8 * 12


def test_the_mean_height_of_a_flat_ring() -> None:
    ring = torch.tensor([[[0.0, 0.0], [4.0, -1.0], [8.0, 0.0], [4.0, 1.0]]])
    assert mean_height(ring).item() == pytest.approx(1)
