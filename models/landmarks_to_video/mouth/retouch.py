"""The retouch of a drawn mouth: softens the rim between the lips and what lies behind them.

Anatomy places teeth, tongue and cavity correctly, but draws them like cut paper; in film, the lower
lip rolls inward, and every edge is soft. This network learned the rim from filmed mouths. It sees a
few pixels around each place, too few to invent what lies deep in a mouth.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.landmarks_to_video.face_regions import MOUTH
from models.landmarks_to_video.layers import Stem, zero_init
from models.landmarks_to_video.mouth.interior import Opening

MAPS = 7
"""Channels that describe the opening and its teeth."""
NEAR = 4.0
"""Pixels over which distances from the lips' edges saturate."""
ALIGNED, MARGIN = 2, 8
"""Rows of a strip are multiples of this many; how far the network sees, px of the picture."""


class Retouch(nn.Module):
    """Changes the rim of a drawn mouth. Untrained, it changes nothing."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.stem = Stem(3 + MAPS, width)
        self.middle = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in range(2))
        self.out = nn.Conv2d(width, 12, 3, padding=1)
        zero_init(self.out)

    def forward(self, pixels: Tensor, opening: Opening, teeth: Tensor) -> Tensor:
        """Return what to add to a drawn mouth, `[B, 3, h, w]`.

        Args:
            pixels: `[B, 3, h, w]` the drawn mouth, 0-1; h and w are multiples of ALIGNED.
            opening: where each pixel lies.
            teeth: `[B, 8, h, w]` of `models.landmarks_to_video.mouth.dentition`.
        """
        seen = torch.cat([pixels * 2 - 1, _maps(opening, teeth).to(pixels)], dim=1)
        x = self.stem(seen)
        for convolution in self.middle:
            x = x + convolution(F.silu(x))
        change = F.pixel_shuffle(self.out(F.silu(x)).contiguous(), 2).float()
        deep = (torch.minimum(opening.below_upper, opening.above_lower) / 2 - 0.5).clamp(0, 1)
        return opening.reach * torch.lerp(change, _without_grid(change), deep.to(change))


def _without_grid(shuffled: Tensor) -> Tensor:
    """Return pixels `[B, C, h, w]` without the period of 2 px that shuffling them can leave.

    The binomial filter (1, 2, 1) / 4 along both axes is zero at that frequency.
    """
    smooth = F.pad(shuffled, (1, 1, 1, 1), mode="replicate")
    for axis in (2, 2, 3, 3):
        pairs = smooth.shape[axis] - 1
        smooth = smooth.narrow(axis, 0, pairs) + smooth.narrow(axis, 1, pairs)
    return smooth / 16


def _maps(opening: Opening, teeth: Tensor) -> Tensor:
    """Return `[B, MAPS, h, w]`, about -1 to 1."""
    below, above = (
        torch.tanh(distance / NEAR) for distance in (opening.below_upper, opening.above_lower)
    )
    tall = (opening.height / 16).clamp(-1, 1)
    finer = torch.full_like(tall, tall.shape[-1] / MOUTH.width - 1)
    return torch.cat([below, above, opening.inside, tall, teeth[:, 3:4], teeth[:, 7:8], finer], 1)


def strip_around(rows: slice, height: int) -> slice:
    """Return the rows of a window of some height that the network must see to retouch `rows`."""
    start = max(rows.start - MARGIN, 0) // ALIGNED * ALIGNED
    return slice(start, min(rows.stop + MARGIN + 1, height) // ALIGNED * ALIGNED)
