"""Edges of lips and lids as smooth curves through their landmarks."""

import torch
from torch import Tensor

MIN_APART, FLAT = 0.1, 0.3
"""Shares of half the mouth's width: what landmarks of an edge are taken to lie apart at least, lest
the curve swing; how far it bends before its corners become round.
"""


def edge_height(knots: Tensor, x: Tensor) -> Tensor:
    """Return the heights `[B, M]` of an edge through `[B, K, 2]` at the places `x` `[B, M]`.

    Flat openings end in pointed corners, round ones in round corners: a polynomial of the place
    along them passes over into one of the angle whose cosine is that place.
    """
    start, stop = knots[:, :1, 0], knots[:, -1:, 0]
    half = ((stop - start) / 2).clamp_min(1)
    along, place = (((where - start) / half - 1).clamp(-1, 1) for where in (knots[..., 0], x))
    flat = _polynomial(along, knots[..., 1], place, MIN_APART)
    round_ = _polynomial(torch.acos(along), knots[..., 1], torch.acos(place), 2 * MIN_APART)
    ends = (knots[:, 0, 1] + knots[:, -1, 1]) / 2
    middle = knots[:, knots.shape[1] // 2, 1]
    roundness = ((middle - ends).abs() / half[:, 0] - FLAT).clamp(0, 1)[:, None]
    return torch.lerp(flat, round_, roundness)


def _polynomial(places: Tensor, heights: Tensor, wanted: Tensor, apart: float) -> Tensor:
    """Return `[B, M]`: the polynomial through `heights` at `places`, both `[B, K]`, at `wanted`."""
    count = places.shape[1]
    total = torch.zeros_like(wanted)
    for k in range(count):
        term = heights[:, k : k + 1]
        for other in set(range(count)) - {k}:
            step = (places[:, k] - places[:, other])[:, None]
            step = torch.where(step.abs() < apart, apart * (step + 1e-9).sign(), step)
            term = term * (wanted - places[:, other : other + 1]) / step
        total = total + term
    return total


def to_upright(vectors: Tensor, across: Tensor) -> Tensor:
    """Express `[B, M, 2]` in axes along and across the eyes' line `[B, 2]`."""
    down = torch.stack([-across[:, 1], across[:, 0]], dim=-1)
    axes = torch.stack([across, down], dim=-1)
    return vectors @ axes
