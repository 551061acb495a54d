"""Teeth that a portrait shows itself: read from its smile, continued where lips hide them."""

import torch
from torch import Tensor
from torch.nn import functional as F

from models.landmarks_to_video.dentition import TOOTH_AREA, read_teeth, tooth_area

TOOTH_SHARE = 0.6
"""Share of what the lips bare that must look like teeth; less is a mouth in the dark."""
GUM, SHADE, FADE = 9, 2, 8
"""Texels by which a row goes on above what a smile bares; that lie in the upper lip's shade there;
over which a row's ends fade into the dark.
"""
SHORTEST, NARROWEST = 4, 24
"""Texels that a column must show of its tooth, and columns that must."""
HALF_ROW, BOW = 45.0, 8.0
"""Texels: at this distance from its middle, the edge of a row lies so much higher."""
NOTCH, APART, DARK_LINE = 3.0, 5, 0.1
"""Texels by which the edge is higher between two teeth; from a dark line to the brightest part of a
tooth beside it; how much darker such a line is.
"""


def own_teeth(
    image: Tensor, landmarks: Tensor, scale: int, skin: Tensor
) -> tuple[Tensor, Tensor] | None:
    """Return the upper row `[1, 4, 64, 128]` of a portrait and its enamel's colour `[1, 3]`.

    None for a portrait that bares no teeth. Lower teeth are hardly ever seen in portraits.

    Args:
        image: `[1, 3, scale * 256, scale * 256]`, 0-1.
        landmarks: `[1, 79, 2]` px of a 256 px crop.
        scale: 1 or 2.
        skin: `[1, COMPLEXION]` around the mouth.
    """
    bared, colour = read_teeth(image, landmarks, landmarks.new_zeros(1, 2), scale)
    area = float(tooth_area(bared, colour, skin))
    seen = bared[0, 0, 3] > 0.5
    tall = seen.sum(dim=0) >= SHORTEST
    if area <= max(TOOTH_AREA, TOOTH_SHARE * float(seen.sum())) or int(tall.sum()) < NARROWEST:
        return None
    return _continued(bared[:, 0], seen, tall), colour


def _continued(row: Tensor, seen: Tensor, tall: Tensor) -> Tensor:
    """Continue upper teeth `[1, 4, 64, 128]` up and down where lips hide them.

    Each column goes on as it is where it meets the lips. The edges lie on a bow whose lowest point
    is seen.

    Args:
        row: colours, and how far each texel is seen.
        seen: `[64, 128]` whether it is.
        tall: `[128]` whether a column shows enough of its tooth; it does in some.
    """
    rows, columns = (torch.arange(n, device=row.device) for n in seen.shape)
    top = seen.to(torch.uint8).argmax(dim=0)
    bottom = len(rows) - 1 - seen.flip(0).to(torch.uint8).argmax(dim=0)
    from_middle = columns - columns[tall].to(row).mean()
    bow = bottom[tall].max() - BOW * (from_middle / HALF_ROW).square()
    lit = torch.minimum(torch.maximum(rows[:, None], top + SHADE), bottom)
    colours = row.gather(2, lit.expand(1, 4, -1, -1))[:, :3]
    edge = torch.maximum(bottom, bow) - NOTCH * _between_teeth(colours)
    above, below = rows[:, None] - (top - GUM), edge - rows[:, None]
    opacity = torch.minimum(above, below).add(0.5).clamp(0, 1) * faded(tall.to(row))
    return torch.cat([colours, opacity.expand(1, 1, -1, -1)], dim=1)


def _between_teeth(colours: Tensor) -> Tensor:
    """Return `[128]`: how far each column of a row `[1, 3, 64, 128]` is a dark line, 0-1."""
    light = colours.mean(dim=(1, 2))
    brightest = F.max_pool1d(light, 2 * APART + 1, stride=1, padding=APART)
    dark = ((brightest - light) / DARK_LINE - 0.5).clamp(0, 1)
    return F.avg_pool1d(dark, 3, stride=1, padding=1)[0]


def faded(tall: Tensor) -> Tensor:
    """Return `[128]`: 1 where a row is `tall` `[128]`, 0-1, falling to 0 within FADE of its ends:
    teeth that lie far back are in the dark.
    """
    inward = F.avg_pool1d(tall[None], FADE, 1, FADE // 2, count_include_pad=False)[0, : len(tall)]
    return tall * (2 * inward - 1).clamp(0, 1)
