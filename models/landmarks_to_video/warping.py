"""Warping a portrait by its landmarks: a thin-plate spline and a sampler, both in pixels.

Flows are *backward*: for a place in the wanted frame they say how far off its colour lies in the
portrait.
Pixel centres lie on whole numbers, so that landmark (x, y) is the pixel `image[y, x]`.
"""

from functools import lru_cache

import cv2
import torch
from torch import Tensor
from torch.nn import functional as F

from media.faces.landmarks import CROP_SIZE, LOWER_LIDS, UPPER_LIDS

FLOW_STRIDE = 4
"""Distance in pixels between the nodes at which the thin-plate flow is computed."""
FLOW_UNIT = 16.0
"""Scale of flows in the networks' inputs, in pixels."""
IRISES = [68, 69]
SLIT = 4.0
"""Pixels that remain between closing lids in the warp."""
ANCHORS_PER_SIDE = 7
REGULARIZATION = 1e-4
"""How far the spline may miss a landmark, so that closed lips, whose points coincide, stay
solvable.
"""
BLOCK = 1024
"""Places at which a CPU evaluates the spline at once: their kernel stays in its second-level cache.
"""


def border_anchors(size: int = CROP_SIZE) -> Tensor:
    """Return `[24, 2]` points around a square picture's border, which fix the background."""
    ticks = torch.linspace(0, size - 1, ANCHORS_PER_SIDE)
    x, y = torch.meshgrid(ticks, ticks, indexing="xy")
    grid = torch.stack([x, y], dim=-1).reshape(-1, 2)
    on_border = ((grid == 0) | (grid == size - 1)).any(dim=-1)
    return grid[on_border]


@lru_cache(maxsize=64)
@torch.inference_mode(mode=False)  # a cached tensor must be usable in training, too
def pixel_grid(height: int, width: int, stride: float = 1) -> Tensor:
    """Return `[height, width, 2]` pixel coordinates of the centres of `stride` x `stride` cells.

    A stride of 1/2 gives the pixels of a picture twice as fine. The result is shared: do not
    change it. In memory, x and y are apart, as arithmetic on either is faster then.
    """
    offset = (stride - 1) / 2
    x, y = torch.meshgrid(
        torch.arange(width) * stride + offset, torch.arange(height) * stride + offset, indexing="xy"
    )
    return planes(x, y)


def planes(x: Tensor, y: Tensor) -> Tensor:
    """Return vectors `[..., 2]` with all x before all y in memory."""
    return torch.stack([x, y]).movedim(0, -1)


def thin_plate_flow(
    target: Tensor,
    source: Tensor,
    points: Tensor,
    *,
    regularization: float = REGULARIZATION,
    size: int = CROP_SIZE,
) -> Tensor:
    """Interpolate the displacement `source - target`, known at the landmarks, to any points.

    The interpolant with the least bending energy (Bookstein, "Principal Warps", TPAMI 1989), held
    at zero by `border_anchors`. Where no landmark moves it is exactly zero.

    Args:
        target: `[B, K, 2]` landmarks of the wanted frame, px.
        source: `[B, K, 2]` landmarks of the portrait, px.
        points: `[B, M, 2]` places in the wanted frame, px.
        regularization: weight of the bending energy; at 0 every landmark is met exactly.
        size: side of the square picture, px.

    Returns:
        `[B, M, 2]` float32 backward flow, px.
    """
    # Large weights of both signs cancel here, so half precision would lose the warp.
    with torch.autocast(target.device.type, enabled=False):
        return _interpolate(target, source, points, regularization, size)


def _interpolate(
    target: Tensor, source: Tensor, points: Tensor, regularization: float, size: int
) -> Tensor:
    anchors = border_anchors(size).to(target).expand(len(target), -1, -1)
    controls = torch.cat([target, anchors], dim=1).double() / size
    values = F.pad((source - target).double(), (0, 0, 0, anchors.shape[1]))
    weights, affine = _solve(controls, values, regularization)
    scaled = points.float() / size
    bending = _bending(scaled, controls.float(), weights.float())
    return bending + scaled @ affine[:, 1:].float() + affine[:, :1].float()


def _bending(points: Tensor, controls: Tensor, weights: Tensor) -> Tensor:
    """Return the weighted sums `[B, M, 2]` of the kernels around controls `[B, K, 2]`."""
    left, right = _distance_factors(points, controls)
    if points.device.type != "cpu":
        return _kernel(left @ right) @ weights
    at_once = max(1, BLOCK // points.shape[1])
    pieces = zip(*(torch.split(part, at_once) for part in (left, right, weights)), strict=True)
    rows = [
        [_kernel(block @ knots) @ weight for block in torch.split(places, BLOCK, dim=1)]
        for places, knots, weight in pieces
    ]
    return torch.cat([torch.cat(blocks, dim=1) for blocks in rows])


def landmark_flow(source: Tensor, target: Tensor, points: Tensor, size: int = CROP_SIZE) -> Tensor:
    """Return the thin-plate flow `[B, M, 2]` px at `points` `[B, M, 2]`, px, between two faces.

    Closing lids keep a slit: the tracker crosses them, and the spline would fold over.
    """
    return thin_plate_flow(keep_slits(source, target), source, points, size=size)


def keep_slits(source: Tensor, target: Tensor) -> Tensor:
    """Part the lids of `target` `[B, 79, 2]` by `SLIT` px where those of `source` are parted.

    The irises stay between them, as high as in `source`: the eyeball lies behind the lids, and an
    iris that lids have passed would fold the warp.
    """
    across = F.normalize(target[:, 45] - target[:, 36], dim=-1)
    down = torch.stack([-across[:, 1], across[:, 0]], dim=-1)[:, None]
    gaps = [((p[:, LOWER_LIDS] - p[:, UPPER_LIDS]) * down).sum(-1) for p in (source, target)]
    missing = (gaps[0].clamp_max(SLIT) - gaps[1]).clamp_min(0)[..., None] * down / 2
    parted = target.clone()
    parted[:, UPPER_LIDS] -= missing
    parted[:, LOWER_LIDS] += missing
    heights = [_between_lids(face, down) for face in (source, parted)]
    parted[:, IRISES] += (heights[0] - heights[1])[..., None] * _eye_gaps(parted, down) * down
    return parted


def _between_lids(face: Tensor, down: Tensor) -> Tensor:
    """Return `[B, 2]`: how far each iris lies from the upper (0) to the lower (1) lid."""
    upper = face[:, UPPER_LIDS].reshape(-1, 2, 2, 2).mean(dim=2)
    below = ((face[:, IRISES] - upper) * down).sum(-1)
    return below / _eye_gaps(face, down)[..., 0]


def _eye_gaps(face: Tensor, down: Tensor) -> Tensor:
    """Return `[B, 2, 1]`: the distance between the lids of each eye, px."""
    gap = ((face[:, LOWER_LIDS] - face[:, UPPER_LIDS]) * down).sum(-1)
    return gap.reshape(-1, 2, 2).mean(dim=2, keepdim=True).clamp_min(1.0)


def spline_flow(source: Tensor, target: Tensor, size: int = CROP_SIZE) -> Tensor:
    """Return the thin-plate flow `[B, 2, size / 4, size / 4]` px over the whole crop."""
    nodes = size // FLOW_STRIDE
    points = pixel_grid(nodes, nodes, FLOW_STRIDE).to(target).reshape(1, -1, 2)
    flow = landmark_flow(source, target, points.expand(len(target), -1, -1), size)
    return flow.transpose(1, 2).reshape(-1, 2, nodes, nodes)


def _solve(controls: Tensor, values: Tensor, regularization: float) -> tuple[Tensor, Tensor]:
    """Return the spline's bending `[B, K, 2]` and affine `[B, 3, 2]` weights, in float64."""
    batch, count, _ = controls.shape
    left, right = _distance_factors(controls, controls)
    kernel = _kernel(left @ right)
    kernel = kernel + regularization * torch.eye(count, dtype=kernel.dtype, device=kernel.device)
    plane = F.pad(controls, (1, 0), value=1.0)
    corner = kernel.new_zeros(batch, 3, 3)
    top = torch.cat([kernel, plane], dim=2)
    bottom = torch.cat([plane.transpose(1, 2), corner], dim=2)
    system = torch.cat([top, bottom], dim=1)
    solution = torch.linalg.solve(system, F.pad(values, (0, 0, 0, 3)))
    return solution[:, :count], solution[:, count:]


def _distance_factors(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Return `[B, M, 4]` and `[B, 4, K]`, whose product are squared distances between points.

    The points are `[B, M, 2]` and `[B, K, 2]`.
    """
    # |a|^2 - 2 a b + |b|^2 as one product of matrices.
    left = [a, a.square().sum(-1, keepdim=True), torch.ones_like(a[..., :1])]
    right = [-2 * b, torch.ones_like(b[..., :1]), b.square().sum(-1, keepdim=True)]
    return torch.cat(left, dim=-1), torch.cat(right, dim=-1).transpose(-1, -2)


def _kernel(squared: Tensor) -> Tensor:
    """Return the thin plate's Green's function, r^2 log r^2, zero at r = 0, in place."""
    squared = squared.clamp_min_(1e-12)
    if squared.device.type != "cpu":
        return squared.mul_(squared.log())
    # As exact as torch's own, which takes five times as long.
    values = squared.numpy()
    values *= cv2.log(values.reshape(-1, values.shape[-1])).reshape(values.shape)
    return squared


def sample(image: Tensor, coordinates: Tensor, scale: int = 1) -> Tensor:
    """Read `[B, C, H, W]` bilinearly at pixel `coordinates` `[B, h, w, 2]`, the edge replicated.

    Where the picture has `scale` times the pixels that the coordinates count, they are converted.
    """
    height, width = image.shape[-2:]
    if scale != 1:
        coordinates = (coordinates + 0.5) * scale - 0.5
    unit = coordinates.new_tensor([2 / (width - 1), 2 / (height - 1)])
    return F.grid_sample(
        image, coordinates * unit - 1, mode="bilinear", padding_mode="border", align_corners=True
    )


def blend_in(
    colour: Tensor, weight: Tensor, image: Tensor, coordinates: Tensor, scale: int = 1
) -> None:
    """Blend what `sample` would return into a colour `[B, C, h, w]`, in place.

    Few pixels have a `weight` `[B, 1, h, w]`, 0-1: only these are read.
    """
    if image.stride(0) and len(image) > 1:
        for i in range(len(image)):
            one = slice(i, i + 1)
            blend_in(colour[one], weight[one], image[one], coordinates[one], scale)
        return
    # One picture for the whole batch: one call of each operation takes less than many.
    where = weight[:, 0] > 0
    read = sample(image[:1], coordinates[where][None, None], scale)[0, :, 0]
    seen, share = colour.movedim(1, 0), weight[:, 0][where]
    seen[:, where] = torch.lerp(seen[:, where], read, share)


def upsample_flow(flow: Tensor, factor: int) -> Tensor:
    """Enlarge a flow `[B, 2, h, w]` given at cell centres; its values stay full-frame pixels."""
    if factor == 1:
        return flow
    if flow.device.type != "cpu":
        return F.interpolate(
            flow.contiguous(), scale_factor=factor, mode="bilinear", align_corners=False
        )
    # For so few channels, torch's own takes two to four times as long on a CPU.
    rows, columns = (_enlargement(size, factor).to(flow) for size in flow.shape[-2:])
    with torch.autocast("cpu", enabled=False):
        return rows.T @ (flow @ columns)


@lru_cache(maxsize=64)
@torch.inference_mode(mode=False)  # a cached tensor must be usable in training, too
def _enlargement(size: int, factor: int) -> Tensor:
    """Return the matrix `[size, factor * size]` that enlarges rows of values linearly."""
    each = torch.eye(size)[None]
    return F.interpolate(each, scale_factor=factor, mode="linear", align_corners=False)[0]


def flow_coordinates(flow: Tensor, stride: float = 1) -> Tensor:
    """Add each cell's place to its flow `[B, 2, h, w]`; returns `[B, h, w, 2]` px."""
    height, width = flow.shape[-2:]
    return flow.permute(0, 2, 3, 1) + pixel_grid(height, width, stride).to(flow)
