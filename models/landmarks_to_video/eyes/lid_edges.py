"""Edges of lids as smooth curves through their landmarks."""

import torch
from torch import Tensor

MIN_APART = 0.1
"""Least distance between landmarks, as a share of half an edge's width; nearer, the edge swings."""


def edge_heights(edges: Tensor, x: Tensor) -> Tensor:
    """Return the heights `[B, E, M]` of edges through `[B, E, K, 2]` at the places `x` `[B, M]`.

    The edges meet at both ends.
    """
    start, stop = edges[:, :1, :1, 0], edges[:, :1, -1:, 0]
    half = ((stop - start) / 2).clamp_min(1)
    along, place = (
        ((where - start) / half - 1).clamp(-1, 1) for where in (edges[..., 0], x[:, None])
    )
    return _polynomial(along, edges[..., 1], place)


def _polynomial(places: Tensor, heights: Tensor, wanted: Tensor) -> Tensor:
    """Return `[B, E, M]`: polynomials through `heights` at `places`, both `[B, E, K]`, at `wanted`
    `[B, 1, M]`.
    """
    apart = [places[..., 0]]
    for place in places.unbind(dim=-1)[1:]:
        apart.append(torch.maximum(place, apart[-1] + MIN_APART))
    powers = torch.stack(apart, dim=-1)[..., None] ** torch.arange(len(apart), device=places.device)
    with torch.autocast(places.device.type, enabled=False):
        factors = torch.linalg.solve(powers.float(), heights.float())
    result: Tensor = factors[..., -1:]
    for k in range(len(apart) - 2, -1, -1):
        result = torch.addcmul(factors[..., k : k + 1], result, wanted)
    return result
