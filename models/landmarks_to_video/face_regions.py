"""The windows of a face that a warp cannot make, mouth and eyes, as landmarks describe them."""

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from media.faces.landmarks import CROP_SIZE
from models.landmarks_to_video.ramps import smooth_step
from models.landmarks_to_video.upright import face_frame, to_upright
from models.landmarks_to_video.warping import FLOW_STRIDE, pixel_grid, upsample_flow

STRIDE = 4
"""Windows start at multiples of this number of pixels, so that a moving one keeps the painter's
grid.
"""
GEOMETRY_STRIDE = 2
FREQUENCIES = (2.0, 4.0, 8.0)
"""Periods per inter-ocular distance; an upper incisor is about an eighth of it wide."""
NEAR, FAR = 2.0, 8.0
"""Pixels over which the two readings of a signed distance saturate."""


@dataclass(frozen=True)
class Region:
    """A window around one part of the face.

    `outline` are the landmarks it is centred on, `polygons` the openings inside it, `anchors` the
    two landmarks its interior is fixed to (the upper teeth to the nose, the lower ones to the
    chin), `points` those that describe its expression. `unseen` tells that what lies inside the
    first opening is not in the portrait. Sizes are pixels of the face crop.
    """

    name: str
    width: int
    height: int
    outline: tuple[int, ...]
    polygons: tuple[tuple[int, ...], tuple[int, ...]]
    anchors: tuple[int, int]
    points: tuple[int, ...]
    unseen: bool


MOUTH = Region(
    name="mouth",
    width=72,
    height=56,
    outline=tuple(range(48, 60)),
    polygons=(tuple(range(60, 68)), tuple(range(48, 60))),
    anchors=(33, 8),
    points=(*range(4, 13), *range(31, 36), *range(48, 68)),
    unseen=True,
)
EYES = Region(
    name="eyes",
    width=104,
    height=40,
    outline=tuple(range(36, 48)),
    polygons=(tuple(range(36, 42)), tuple(range(42, 48))),
    anchors=(68, 69),
    points=(*range(17, 31), *range(36, 48), 68, 69),
    unseen=False,
)

GEOMETRY_CHANNELS = 4 + 4 + 4 * 2 * len(FREQUENCIES)
ANCHOR_CHANNELS = slice(4, 8)
"""Where `region_geometry` tells each pixel's place relative to either anchor."""


def window_origin(landmarks: Tensor, region: Region) -> Tensor:
    """Return the `[B, 2]` integer left and top of the region's window, multiples of `STRIDE`."""
    outline = landmarks[:, region.outline]
    centre = (outline.amin(dim=1) + outline.amax(dim=1)) / 2
    size = landmarks.new_tensor([region.width, region.height])
    origin = ((centre - size / 2) / STRIDE).round() * STRIDE
    limit = CROP_SIZE - size
    return torch.minimum(origin.clamp_min(0), limit).long()


def region_shape(landmarks: Tensor, region: Region) -> Tensor:
    """Return `[B, 2 * points]`: the region's landmarks, upright, centred, in inter-ocular units."""
    distance, across = face_frame(landmarks)
    points = landmarks[:, region.points]
    centred = (points - points.mean(dim=1, keepdim=True)) / distance[:, None, None]
    return to_upright(centred, across).flatten(1)


def region_geometry(landmarks: Tensor, region: Region, origin: Tensor) -> Tensor:
    """Draw the landmarks as maps over the window at half its resolution.

    Signed distances to the two openings (near and far reading, positive inside), then the place of
    each pixel relative to the two anchors in the upright face's inter-ocular units, plainly and as
    sines and cosines.

    Returns:
        `[B, GEOMETRY_CHANNELS, height / 2, width / 2]`, about -1 to 1.
    """
    height, width = region.height // GEOMETRY_STRIDE, region.width // GEOMETRY_STRIDE
    cells = pixel_grid(height, width, GEOMETRY_STRIDE).to(landmarks).reshape(1, -1, 2)
    cells = cells + origin[:, None].to(landmarks)
    distances = [signed_distance(cells, landmarks[:, polygon]) for polygon in region.polygons]
    openings = torch.stack([torch.tanh(d / r) for d in distances for r in (NEAR, FAR)], dim=1)
    interocular, across = face_frame(landmarks)
    places = [
        to_upright((cells - landmarks[:, None, anchor]) / interocular[:, None, None], across)
        for anchor in region.anchors
    ]
    place = torch.cat(places, dim=-1).transpose(1, 2)
    waves = [wave(2 * torch.pi * f * place) for f in FREQUENCIES for wave in (torch.sin, torch.cos)]
    return torch.cat([openings, place, *waves], dim=1).reshape(len(landmarks), -1, height, width)


def signed_distance(points: Tensor, polygon: Tensor) -> Tensor:
    """Return the distance `[B, M]` of `points` `[B, M, 2]` from the outline of `[B, V, 2]`.

    In the unit of the input; positive inside the polygon, negative outside.
    """
    edge_x, edge_y = (polygon.roll(-1, dims=1) - polygon)[..., None].unbind(dim=2)
    x, y = (points[:, None, :, axis] - polygon[:, :, None, axis] for axis in (0, 1))
    length = (edge_x.square() + edge_y.square()).clamp_min(1e-6)
    along = ((x * edge_x + y * edge_y) / length).clamp(0, 1)
    squared = (x - edge_x * along).square() + (y - edge_y * along).square()
    distance = squared.amin(dim=1).sqrt()
    crosses = (y >= 0) != (y - edge_y >= 0)
    crossing = crosses & ((edge_x * y > edge_y * x) == (edge_y < 0))
    inside = crossing.sum(dim=1) % 2 == 1
    return torch.where(inside, distance, -distance)


def mean_height(polygon: Tensor) -> Tensor:
    """Return area over length `[B]` of rings `[B, V, 2]` that start at one of their corners."""
    x, y = polygon.unbind(dim=-1)
    area = (x * y.roll(-1, dims=1) - y * x.roll(-1, dims=1)).sum(dim=1).abs() / 2
    length = (polygon[:, polygon.shape[1] // 2] - polygon[:, 0]).norm(dim=-1)
    height: Tensor = area / length.clamp_min(1.0)
    return height


@lru_cache(maxsize=16)
@torch.inference_mode(mode=False)  # a cached tensor must be usable in training, too
def feather(region: Region, margin: int = 8, scale: int = 1) -> Tensor:
    """Return `[1, height, width]` weights: 0 on the window's edge, 1 from `margin` px inside.

    At `scale` pixels of the picture for each of the crop, the window has that many times the size.
    The result is shared: do not change it.
    """
    ramps = []
    for length in (scale * region.height, scale * region.width):
        edge = torch.arange(length)
        depth = torch.minimum(edge, length - 1 - edge) / (scale * margin)
        ramps.append(smooth_step(depth, 0, 1))
    return (ramps[0][:, None] * ramps[1][None, :])[None]


def window_flow(flow: Tensor, origin: Tensor, region: Region) -> Tensor:
    """Cut a region's window at `origin` `[B, 2]`, px, out of a flow `[B, 2, 64, 64]`.

    Returns:
        `[B, 2, height / 4, width / 4]`.
    """
    nodes = region.height // FLOW_STRIDE, region.width // FLOW_STRIDE
    return cut(flow, origin // FLOW_STRIDE, *nodes)


def cut(image: Tensor, origin: Tensor, height: int, width: int) -> Tensor:
    """Cut `[B, C, height, width]` out of `[B, C, H, W]`, each row at its own origin `[B, 2]`."""
    windows = [
        picture[:, y : y + height, x : x + width]
        for picture, (x, y) in zip(image, origin.tolist(), strict=True)
    ]
    return torch.stack(windows)


def paste(image: Tensor, windows: Tensor, origin: Tensor) -> Tensor:
    """Return `[B, C, H, W]` with `[B, C, h, w]` laid over it, each row at its origin `[B, 2]`."""
    result = image.clone()
    height, width = windows.shape[-2:]
    for picture, window, (x, y) in zip(result, windows, origin.tolist(), strict=True):
        picture[:, y : y + height, x : x + width] = window
    return result


def rows_of(places: Tensor) -> slice:
    """Return the rows that hold all places marked in a batch `[B, h, w]`; at least one row."""
    rows = places.any(dim=2).any(dim=0).nonzero()[:, 0].tolist()
    return slice(rows[0], rows[-1] + 1) if rows else slice(0, 1)


def opening_mask(
    landmarks: Tensor, region: Region, origin: Tensor, *, grow: float, polygon: int, scale: int = 1
) -> Tensor:
    """Return `[B, 1, height, width]`: 1 inside an opening grown by `grow` px, soft over 1 px.

    At `scale` pixels of the picture for each of the crop, it has that many times the size.
    """
    height, width = region.height // GEOMETRY_STRIDE, region.width // GEOMETRY_STRIDE
    cells = pixel_grid(height, width, GEOMETRY_STRIDE).to(landmarks).reshape(1, -1, 2)
    distance = signed_distance(
        cells + origin[:, None].to(landmarks), landmarks[:, region.polygons[polygon]]
    )
    coarse = distance.reshape(-1, 1, height, width)
    return (upsample_flow(coarse, GEOMETRY_STRIDE * scale) + grow + 0.5).clamp(0, 1)
