"""Teeth as anatomy draws them: where the painter of mouths starts from."""

import torch
from torch import Tensor

PUPILS_MM = 63.0
"""Distance between the pupils that the measures below belong to (Dodgson, SPIE 5291, 2004)."""
UPPER_WIDTHS_MM = (8.5, 6.5, 7.0, 6.0, 5.0)
LOWER_WIDTHS_MM = (5.3, 5.7, 6.5, 6.0, 6.0)
"""From the midline outwards, as seen from the front."""
UPPER_SPAN_MM, LOWER_SPAN_MM = (19.0, 29.5), (-49.0, -40.0)
"""Top and bottom below the nose's base and below the chin, as tracked faces have them."""
GAP_MM, SOFT_MM = 0.5, 0.5


def drawn_teeth(size: int, reach: float) -> Tensor:
    """Draw the upper teeth around the nose's base and the lower ones around the chin.

    Args:
        size: width and height of each drawing, pixels.
        reach: inter-ocular distances from its middle to its edges.

    Returns:
        `[2, size, size]`: 1 on a tooth, 0 beside it.
    """
    axis = torch.linspace(-reach, reach, size) * PUPILS_MM
    rows = ((UPPER_WIDTHS_MM, UPPER_SPAN_MM), (LOWER_WIDTHS_MM, LOWER_SPAN_MM))
    return torch.stack([_row(axis, torch.tensor(widths), span) for widths, span in rows])


def _row(axis: Tensor, widths: Tensor, span: tuple[float, float]) -> Tensor:
    edges = torch.cat([torch.zeros(1), widths.cumsum(0)])
    from_edge = (axis.abs()[:, None] - edges).abs().amin(dim=1) - GAP_MM / 2
    across = (from_edge / SOFT_MM).clamp(0, 1) * (axis.abs() < edges[-1])
    inside = torch.minimum(axis - span[0], span[1] - axis)
    return (inside / SOFT_MM).clamp(0, 1)[:, None] * across[None, :]
