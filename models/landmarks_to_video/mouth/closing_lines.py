"""The lines along which lips close: the wanted ones, without what no lips do."""

import torch
from torch import Tensor

from models.landmarks_to_video.mouth.lip_lines import LipLines, even_height, lip_lines
from models.landmarks_to_video.ramps import smooth_step
from models.landmarks_to_video.upright import Axes

SHUT, PARTED = 0.6, 1.6
"""Pixels: inner lips nearer than the first touch, those beyond the second are as far as asked."""
STEEP, WIDENING = 1.2, 3.0
"""How many times as steeply as a wedge the lips' edges may leave a corner; px from the corner at
which the wedge, at first 1 px high to either side for each, is twice as high as that.
"""


def closing_lines(target: Tensor, axes: Axes) -> LipLines:
    """Return the inner lips of `[B, 79, 2]` px, whose axes are given, as lips close.

    What nearly touches does touch, without a kink in the seam, and no lip's edge is upright.
    """
    lines = _without_kink(_meet(lip_lines(target), axes), axes)
    return _pointed(lines, axes)


def _meet(lines: LipLines, axes: Axes) -> LipLines:
    """Return the lines with what nearly touches touching, half-way between."""
    upper, lower = axes.enter(lines.upper), axes.enter(lines.lower)
    middle = (upper + lower) / 2
    apart = smooth_step(lower[..., 1] - upper[..., 1], SHUT, PARTED)[..., None]
    return LipLines(*(axes.leave(torch.lerp(middle, line, apart)) for line in (upper, lower)))


def _without_kink(lines: LipLines, axes: Axes) -> LipLines:
    """Return the lines along a curve without a kink, as far apart as before.

    The landmarks of a closed smile form a V: the upper lip's tubercle is their lowest point.
    """
    upper, lower = axes.enter(lines.upper), axes.enter(lines.lower)
    middle = (upper + lower) / 2
    rise = middle[..., 1] - even_height(middle)
    shift = torch.stack([torch.zeros_like(rise), rise], dim=-1)
    return LipLines(*(axes.leave(line - shift) for line in (upper, lower)))


def _pointed(lines: LipLines, axes: Axes) -> LipLines:
    """Return the lines with what rises or falls too steeply from the corners drawn in.

    Where a lip's edge is upright, neighbours within the lip would lie at quite different depths.
    """
    pointed = []
    for line in (axes.enter(part) for part in (lines.upper, lines.lower)):
        x, y = line.unbind(dim=-1)
        x = x.maximum(x[:, :1]).minimum(x[:, -1:])
        for corner in ([0], [-1]):
            reach = STEEP * wedge((x - x[:, corner]).abs())
            y = y.maximum(y[:, corner] - reach).minimum(y[:, corner] + reach)
        pointed.append(axes.leave(torch.stack([x, y], dim=-1)))
    return LipLines(*pointed)


def wedge(inside: Tensor) -> Tensor:
    """Return how far a wedge reaches above and below a corner, px, so many px inside of it."""
    return inside * (1 + inside / WIDENING)
