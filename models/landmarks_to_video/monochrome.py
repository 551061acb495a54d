"""Portraits of one hue, grey or toned: what is painted on them keeps to it."""

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor
from torch.nn import functional as F

LUMA = (0.299, 0.587, 0.114)
"""Rec. 601."""
LEVELS = 32
"""Steps of brightness at which a portrait's hue is read."""
TONED = 7 / 255
"""A portrait has one hue where 98% of its pixels lie nearer than this to the hue's curve."""
MOST = 0.98
SMOOTHING = 2
"""Steps of brightness on either side that are averaged."""


@dataclass(frozen=True, eq=False)
class Palette:
    """The colours that a portrait of one hue is made of, from dark to light.

    chroma: `[3, LEVELS]` colour minus brightness at evenly spaced brightnesses from 0 to 1.
    """

    chroma: Tensor

    def tint(self, colour: Tensor) -> Tensor:
        """Return `[B, 3, h, w]` colours as bright as those given, in the portrait's hue."""
        luma = _luma(colour).clamp(0, 1)
        place = luma * (LEVELS - 1)
        below = place.floor().clamp(0, LEVELS - 2)
        share = place - below
        index = below[:, 0].long()
        chroma = self.chroma.to(colour)
        low, high = chroma[:, index], chroma[:, index + 1]
        mixed = low.transpose(0, 1) * (1 - share) + high.transpose(0, 1) * share
        return luma + mixed

    @classmethod
    def grey(cls, device: torch.device) -> Self:
        """Return the palette without any hue."""
        return cls(torch.zeros(3, LEVELS, device=device))


def read_palette(image: Tensor) -> Palette | None:
    """Return the palette of a portrait `[1, 3, H, W]` in 0-1, or None where it has several hues."""
    luma = _luma(image)
    chroma = (image - luma)[0].flatten(1)
    curve = _curve(luma.flatten(), chroma)
    palette = Palette(curve)
    spread = (palette.tint(image) - luma)[0].flatten(1) - chroma
    far = spread.abs().amax(dim=0) > TONED
    if far.float().mean() > 1 - MOST:
        return None
    return palette


def _curve(luma: Tensor, chroma: Tensor) -> Tensor:
    """Return the mean chroma `[3, LEVELS]` by brightness; gaps take their neighbours'."""
    step = (luma * (LEVELS - 1)).round().long().clamp(0, LEVELS - 1)
    counts = torch.zeros(LEVELS, device=luma.device).index_add_(0, step, torch.ones_like(luma))
    sums = torch.zeros(3, LEVELS, device=luma.device).index_add_(1, step, chroma)
    kernel = torch.ones(1, 1, 2 * SMOOTHING + 1, device=luma.device)
    known = F.conv1d(counts[None, None], kernel, padding=SMOOTHING)[0]
    total = F.conv1d(sums[:, None], kernel, padding=SMOOTHING)[:, 0]
    mean = sums.sum(dim=1, keepdim=True) / counts.sum()
    return (total + mean) / (known + 1)


def _luma(colour: Tensor) -> Tensor:
    """Return the brightness `[B, 1, h, w]` of `[B, 3, h, w]`."""
    weights = colour.new_tensor(LUMA).reshape(1, 3, 1, 1)
    return (colour * weights).sum(dim=1, keepdim=True)
