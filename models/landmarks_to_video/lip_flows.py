"""How closing lips move: one spline for each lip.

A spline through all landmarks cannot tear: where lips close, it squeezes whatever the portrait
shows between them into a band, which stays wherever two landmarks do not meet. So two splines move
the lips: one ignores the lower inner lip, the other the upper.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from models.landmarks_to_video.face_regions import MOUTH
from models.landmarks_to_video.lip_lines import LipLines, outer_lip_lines
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
NODES = FLOW_STRIDE
"""Pixels between the nodes on which the lips' flows are computed, as those of the whole crop."""
_OTHERS = [*range(48), *range(68, 79)]


def lip_flows(
    source: Tensor,
    target: Tensor,
    shown: LipLines,
    wanted: LipLines,
    origin: Tensor,
    scale: int,
) -> tuple[Tensor, Tensor]:
    """Return the flows `[B, 2, h, w]` that move the upper and the lower lip, px.

    They are the splines' alone: the motion network's flow corrects a single spline. At lips that
    close, it reads the skin around them.
    """
    apart = torch.cat([keep_slits(source, target)[:, _OTHERS], _outlines(target)], dim=1)
    others = torch.cat([source[:, _OTHERS], _outlines(source)], dim=1)
    axes = Axes.of(source)
    within = source.new_tensor(LIP)[:, None] * axes.down
    outwards = CORNER * axes.across
    targets, sources = [], []
    for asked, seen in ((wanted.upper, shown.upper - within), (wanted.lower, shown.lower + within)):
        edge = [seen[:, :1] - outwards, seen[:, 1:-1], seen[:, -1:] + outwards]
        targets.append(torch.cat([apart, asked], dim=1))
        sources.append(torch.cat([others, *edge], dim=1))
    height, width = MOUTH.height // NODES, MOUTH.width // NODES
    nodes = pixel_grid(height, width, NODES).to(target).reshape(1, -1, 2) + origin[:, None]
    # Both lips at once: the batch is twice as long.
    flow = thin_plate_flow(torch.cat(targets), torch.cat(sources), nodes.repeat(2, 1, 1))
    grids = flow.transpose(1, 2).reshape(-1, 2, height, width)
    upper, lower = upsample_flow(grids, NODES * scale).chunk(2)
    return upper, lower


def _outlines(landmarks: Tensor) -> Tensor:
    """Return the lips' outer lines, and points on the skin around them, `[B, 34, 2]` px."""
    lines = outer_lip_lines(landmarks)
    rings = []
    for line, sign in ((lines.upper, 1), (lines.lower, -1)):
        along = F.normalize(line[:, 3:-1] - line[:, 1:-3], dim=-1)
        outwards = torch.stack([along[..., 1], -along[..., 0]], dim=-1)
        rings.append(line[:, 2:-2] + sign * BORDER * outwards)
    return torch.cat([lines.upper, lines.lower[:, 1:-1], *rings], dim=1)
