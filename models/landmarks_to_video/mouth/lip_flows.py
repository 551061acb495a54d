"""How closing lips move: one spline for each lip.

A spline through all landmarks cannot tear: where lips close, it squeezes whatever the portrait
shows between them into a band, which stays wherever two landmarks do not meet. So two splines move
the lips: one ignores the lower inner lip, the other the upper.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from models.landmarks_to_video.face_regions import MOUTH
from models.landmarks_to_video.mouth.lip_lines import LipLines, outer_lip_lines
from models.landmarks_to_video.ramps import smooth_step
from models.landmarks_to_video.upright import Axes
from models.landmarks_to_video.warping import (
    FLOW_STRIDE,
    keep_slits,
    pixel_grid,
    thin_plate_flow,
    upsample_flow,
)

LIP = (1.5, 1.3, 1.0, 0.7, 0.5, 0.5, 0.5, 0.7, 1.0, 1.3, 1.5)
"""Pixels by which the lips' edges are taken from within the lips, where less shines through.

More near the corners, whose shade reaches beyond the landmarks in a smile.
"""
BORDER = 2.5
"""Pixels of skin around the lips that keep their size. Lips that relax grow thicker, by a third if
they were drawn back from teeth; their border does not: a spline alone would smear it over the skin.
"""
CORNER = 1.0
"""Pixels outwards from where the corners are taken, for the same reason."""
BEYOND = 0.3
"""How far beyond its edge a lip is taken to go on, as a share of its height. The lip is stretched
evenly up to its edge, whatever is squeezed between the lips.
"""
NODES = FLOW_STRIDE
"""Pixels between the nodes on which the lips' flows are computed, as those of the whole crop."""
STRETCHED = (0.45, 0.65)
"""Pixels of the portrait for each of a lip up to which its upright details would be streaks, and
from which they are kept.
"""
_AT_CORNERS = [1, 2, 8, 9]
"""Points of an outer lip beside its corners."""
_OTHERS = [*range(48), *range(68, 79)]


def lip_flows(
    source: Tensor,
    target: Tensor,
    shown: LipLines,
    wanted: LipLines,
    origin: Tensor,
    scale: int,
) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Return the flows `[B, 2, h, w]` that move the upper and the lower lip, px, and how far each
    is stretched upright, `[B, 1, h, w]` in 0-1.

    They are the splines' alone: the motion network's flow corrects a single spline. At lips that
    close, it reads the skin around them.
    """
    axes = Axes.of(source)
    within = source.new_tensor(LIP)[:, None] * axes.down
    outwards = CORNER * axes.across
    others = keep_slits(source, target)[:, _OTHERS], source[:, _OTHERS]
    outlines, seen_outlines = outer_lip_lines(target), outer_lip_lines(source)
    edges = (wanted.upper, shown.upper - within), (wanted.lower, shown.lower + within)
    targets, sources = [], []
    for (asked, seen), lower in zip(edges, (False, True), strict=True):
        edge = torch.cat([seen[:, :1] - outwards, seen[:, 1:-1], seen[:, -1:] + outwards], dim=1)
        targets.append(torch.cat([others[0], _around(asked, outlines, lower=lower), asked], dim=1))
        sources.append(
            torch.cat([others[1], _around(seen, seen_outlines, lower=lower), edge], dim=1)
        )
    height, width = MOUTH.height // NODES, MOUTH.width // NODES
    nodes = pixel_grid(height, width, NODES).to(target).reshape(1, -1, 2) + origin[:, None]
    # Both lips at once: the batch is twice as long.
    flow = thin_plate_flow(torch.cat(targets), torch.cat(sources), nodes.repeat(2, 1, 1))
    grids = flow.transpose(1, 2).reshape(-1, 2, height, width)
    maps = upsample_flow(torch.cat([grids, _stretched(grids)], dim=1), NODES * scale)
    first, second = maps.chunk(2)
    return (first[:, :2], second[:, :2]), (first[:, 2:], second[:, 2:])


def _stretched(flow: Tensor) -> Tensor:
    """Return `[B, 1, h, w]` in 0-1: how far a flow `[B, 2, h, w]` on nodes stretches upright."""
    steps = F.pad(flow[:, 1:], (0, 0, 1, 1), mode="replicate")
    rates = 1 + (steps[:, :, 2:] - steps[:, :, :-2]) / (2 * NODES)
    return 1 - smooth_step(rates, *STRETCHED)


def _around(edge: Tensor, outlines: LipLines, *, lower: bool) -> Tensor:
    """Return the points that hold a lip in shape, `[B, 29, 2]` px.

    They are its outline, points on the skin around it and beyond its edge, and the outline of the
    other lip near the corners, where both are one skin.

    Args:
        edge: `[B, 11, 2]` px, the lip's inner edge.
        outlines: the outer lips.
        lower: whether it is the lower lip.
    """
    outline, other = outlines.upper, outlines.lower
    if lower:
        outline, other = other, outline
    along = F.normalize(outline[:, 3:-1] - outline[:, 1:-3], dim=-1)
    outwards = torch.stack([along[..., 1], -along[..., 0]], dim=-1)
    skin = outline[:, 2:-2] + (-BORDER if lower else BORDER) * outwards
    beyond = torch.lerp(edge, outline, -BEYOND)[:, 2:-2]
    return torch.cat([outline, skin, beyond, other[:, _AT_CORNERS]], dim=1)
