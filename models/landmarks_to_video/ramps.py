"""Passages between 0 and 1, even and smooth, and bells."""

import torch
from torch import Tensor

NOTHING = 20.0
"""Exponent at which what fades away has gone; beyond, exponentials become slow to compute with."""


def rise(value: Tensor, start: float, end: float) -> Tensor:
    """Return 0 up to the start, 1 from the end on, and a share of 1 between them."""
    return ((value - start) / (end - start)).clamp(0, 1)


def smooth_step(value: Tensor, start: Tensor | float, end: Tensor | float) -> Tensor:
    """Return 0 up to `start`, 1 from `end` on, and a cubic that is level at both between them.

    Where `end` is the lower one, 1 is below it.
    """
    share = ((value - start) / (end - start)).clamp(0, 1)
    return share.square() * (3 - 2 * share)


def bell(distance: Tensor, width: Tensor | float) -> Tensor:
    """Return 1 at no distance, falling to nothing within about twice a width."""
    return torch.exp(-(distance / width).square().clamp_max(NOTHING))
