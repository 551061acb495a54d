"""Where pixels lie beside the edges of closing lips, and how these pass into each other."""

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from models.landmarks_to_video.mouth.closing_lines import wedge
from models.landmarks_to_video.mouth.lip_lines import LipLines, smooth_heights
from models.landmarks_to_video.ramps import bell, smooth_step
from models.landmarks_to_video.upright import Axes

SPREAD, WIDEST = 1.0, 6.0
"""Beyond a corner, one lip passes into the other over so many times the distance from it, above and
below, up to so many px; less than where spots end.
"""
LINE, LINE_CORNER, CORNERS = 0.12, 0.32, (0.05, 0.35)
"""How much darker it is where lips touch, in the middle and at the corners, and the shares of the
mouth's width from a corner between which the one passes into the other.
"""
LINE_WIDTH, LINE_SPREAD, LINE_FADE = 0.7, 0.4, (0.0, 4.0)
"""Half width of that line, px; by how much it grows for each px beyond a corner; px beyond a corner
over which it ends.
"""
TOUCHING = (0.3, 2.0)
"""Pixels between lips up to which they are taken to touch, and from which not at all."""


@dataclass(frozen=True)
class LipPlaces:
    """Where pixels `[B, h, w]` lie beside the lips' edges, px.

    above, below: how deep in the upper lip, and in the lower one.
    outside: how far beyond the nearer corner of the mouth; 0 between the corners.
    corner: in 0-1 how near a corner.
    deep: how deep in either lip, if the opening were no higher at its corners than a wedge.
    """

    above: Tensor
    below: Tensor
    outside: Tensor
    corner: Tensor
    deep: Tensor

    @classmethod
    def of(cls, cells: Tensor, wanted: LipLines, axes: Axes) -> Self:
        """Find the pixels `[B, h, w, 2]` beside the wanted lips."""
        x, y = axes.enter(cells.flatten(1, 2)).unbind(dim=-1)
        upper, lower = (axes.enter(line) for line in (wanted.upper, wanted.lower))
        left, right = upper[:, :1, 0], upper[:, -1:, 0]
        beyond = torch.maximum(left - x, x - right)
        corner = 1 - smooth_step(-beyond / (right - left).clamp_min(1), *CORNERS)
        above, below = smooth_heights(upper, lower, x)
        edges = above - y, y - below
        middle = (left + right) / 2
        height = torch.where(x < middle, upper[:, :1, 1], upper[:, -1:, 1])
        deep = (y - height).abs() - wedge((-beyond).clamp_min(0))
        deep = deep.maximum(edges[0]).maximum(edges[1])
        parts = (*edges, beyond.clamp_min(0), corner, deep)
        return cls(*(part.reshape(cells.shape[:3]) for part in parts))

    @property
    def depth(self) -> Tensor:
        """How deep in either lip each pixel lies, px; negative between the lips."""
        return torch.maximum(self.above, self.below)

    def rows(self, rows: slice) -> Self:
        """Return some of the rows."""
        parts = self.above, self.below, self.outside, self.corner, self.deep
        return type(self)(*(part[:, rows] for part in parts))

    def line(self) -> Tensor:
        """Return `[B, 1, h, w]` in 0-1: how much darker it is where the lips touch."""
        touching = 1 - smooth_step(-(self.above + self.below), *TOUCHING)
        width = LINE_WIDTH + LINE_SPREAD * self.outside
        depth = torch.lerp(
            torch.full_like(width, LINE), torch.full_like(width, LINE_CORNER), self.corner
        )
        depth = depth * touching * (1 - smooth_step(self.outside, *LINE_FADE))
        return (depth * bell(self.above - self.below, 2 * width))[:, None]

    def soft(self, scale: int) -> Tensor:
        """Return `[B, h, w]`: over how many px one lip passes into what lies beside it."""
        return 1 / scale + (2 * SPREAD * self.outside).clamp_max(2 * WIDEST)

    def shares(self, scale: int) -> tuple[Tensor, Tensor]:
        """Return how far `[B, 1, h, w]` in 0-1 each pixel is the upper lip's, and the lower one's.

        The edge is one pixel of the image soft, and softer with the distance from a corner.
        """
        soft = self.soft(scale)
        above, below = (
            (depth / soft + 0.5).clamp(0, 1)[:, None] for depth in (self.above, self.below)
        )
        return above, below

    def between(self, scale: int) -> Tensor:
        """Return how far `[B, 1, h, w]` in 0-1 each pixel is neither lip's."""
        above, below = self.shares(scale)
        return (1 - above - below).clamp_min(0)
