"""A portrait's lips without what shines through along their edges.

Landmarks do not meet the lips exactly. In a smile, the shade of the mouth's corners reaches beyond
them, and so may a tooth. Lips that close would take such spots along. Here the lips' own colour
replaces them.
"""

from dataclasses import dataclass
from math import ceil
from typing import Self

import torch
from torch import Tensor
from torch.nn import functional as F

from media.faces.landmarks import CROP_SIZE
from models.landmarks_to_video.face_regions import MOUTH, cut, signed_distance, window_origin
from models.landmarks_to_video.layers import grown
from models.landmarks_to_video.mouth.lip_lines import lip_lines
from models.landmarks_to_video.ramps import rise
from models.landmarks_to_video.upright import face_frame, to_upright
from models.landmarks_to_video.warping import pixel_grid, sample, upsample_flow

BESIDE = 12
"""Pixels of the window to either side of the mouth's own."""
SIZE = MOUTH.height, MOUTH.width + 2 * BESIDE
REACH, REACH_MIDDLE = 5.0, 2.5
"""Pixels from the opening within which spots are looked for, at the corners and in the middle."""
CORNERS = (0.12, 0.3)
"""Shares of the mouth's width from a corner up to which its shade is looked for, and from which a
dark line is the lips' own.
"""
DARKEST, DARK, LIGHT = (0.3, 0.55), (0.55, 0.8), (1.2, 1.45)
"""Brightness relative to that around up to which a pixel is a dark spot, and from which it is none:
beside the skin, which may be lighter than lips, and beside the lips; the same for light ones, the
other way round.
"""
ROUGH = (0.135, 0.155)
"""Mean contrast of pixels with their neighbours, relative to the brightness around. Up to the
first, what differs is a spot; from the second on, it is a moustache's hair or glitter on lips.
"""
WIDE, NARROW = 4.0, 2.0
"""Standard deviations of the averages over the lips around, px: a first one and a closer one."""
EVEN = 2.5
"""Standard deviation of the average across by which a stretched lip's upright details go, px."""
FEW = 0.02
"""Share of known pixels below which the closer average is left for the first one."""


@dataclass(frozen=True)
class BareLips:
    """A window of the portrait's mouth whose opening and spots have the colour of the lips.

    origin: `[B, 2]` its left and top, px of a 256 px crop.
    picture: `[B, 4, h, w]` colour, 0-1, and how far it differs from the portrait's, 0-1.
    rim: `[B, 4, h, w]` the lower lip's own colour, 0-1, and where it replaces the portrait's once
        that lip is clear of the teeth, 0-1: where gaps between their tips left dark specks, too.
    even: `[B, 3, h, w]` the picture's colour without upright details, 0-1.
    """

    origin: Tensor
    picture: Tensor
    rim: Tensor
    even: Tensor

    def expand(self, batch: int) -> Self:
        """Repeat a single portrait's lips."""
        pictures = (part.expand(batch, -1, -1, -1) for part in (self.picture, self.rim, self.even))
        return type(self)(self.origin.expand(batch, -1), *pictures)

    def read(self, places: Tensor, scale: int) -> Tensor:
        """Return `[B, 4, h, w]` of the picture at `[B, h, w, 2]` px of a 256 px crop."""
        return self._sample(self.picture, places, scale)

    def read_rim(self, places: Tensor, scale: int) -> Tensor:
        """Return `[B, 4, h, w]` of the rim at `[B, h, w, 2]` px of a 256 px crop."""
        return self._sample(self.rim, places, scale)

    def read_even(self, places: Tensor, scale: int) -> Tensor:
        """Return `[B, 3, h, w]` without upright details at `[B, h, w, 2]` px of a 256 px crop."""
        return self._sample(self.even, places, scale)

    def _sample(self, picture: Tensor, places: Tensor, scale: int) -> Tensor:
        return sample(picture, places - self.origin[:, None, None].to(places), scale)


def bare_lips(
    image: Tensor, landmarks: Tensor, scale: int = 1, *, on_teeth: bool = False
) -> BareLips:
    """Bare the lips of a portrait `[B, 3, S, S]`, 0-1, of landmarks `[B, 79, 2]`.

    S is 256 times `scale`, landmarks are in px of a 256 px crop. Of a lower lip that rests
    `on_teeth`, dark specks are gaps between their tips, and go as well.
    """
    origin = window_origin(landmarks, MOUTH) - torch.tensor([BESIDE, 0], device=image.device)
    origin[:, 0].clamp_(0, CROP_SIZE - SIZE[1])
    picture = cut(image, origin * scale, *(scale * side for side in SIZE))
    outside, corner, above = (
        upsample_flow(map_, scale) if scale > 1 else map_
        for map_ in _around_the_opening(landmarks, origin)
    )
    reach = torch.lerp(
        torch.full_like(corner, REACH_MIDDLE), torch.full_like(corner, REACH), corner
    )
    first = _average(picture, (outside - reach).clamp(0, 1), WIDE * scale)
    within = (reach - outside).clamp(0, 1)
    beside = (outside + 0.5).clamp(0, 1)
    around = within * beside
    textured = within * (outside - 1).clamp(0, 1) * (1 - corner)
    around = around * (1 - above * _rough(picture, first, textured * above, scale))
    known = beside - around * _unlike(picture, first, corner, DARKEST)
    closer = _average(picture, known, NARROW * scale, first)
    below = around * (1 - above)
    smooth = 1 - _rough(picture, first, textured * (1 - above), scale)
    spots = around * _unlike(picture, closer, corner, DARK)
    specks = below * smooth * _unlike(picture, closer, torch.ones_like(corner), DARK)
    if on_teeth:
        spots = spots.maximum(specks)
    # Their soft edges would remain as an outline.
    spots, specks = (
        torch.maximum(1 - beside, (1.5 * grown(found, scale)).clamp_max(1))
        for found in (spots, specks)
    )
    bare = torch.lerp(picture, closer, spots)
    rim = _average(picture, known * (1 - specks), NARROW * scale, closer)
    even = blurred(bare, EVEN * scale, rows=False)
    return BareLips(origin, torch.cat([bare, spots], dim=1), torch.cat([rim, specks], dim=1), even)


def _around_the_opening(landmarks: Tensor, origin: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the distance from the opening, px, and in 0-1 how near a corner and how far above its
    middle each pixel lies.

    `[B, 1, h, w]` each, at 256 px a crop; the distance is negative within the opening.
    """
    shape = (-1, 1, *SIZE)
    cells = pixel_grid(*SIZE).to(landmarks).reshape(1, -1, 2)
    cells = cells + origin[:, None].to(landmarks)
    lines = lip_lines(landmarks)
    ring = torch.cat([lines.upper, lines.lower[:, 1:-1].flip(1)], dim=1)
    _, across = face_frame(landmarks)
    (left, _), (x, y), (right, _) = (
        to_upright(points, across).unbind(dim=-1)
        for points in (ring[:, :1], cells, lines.upper[:, -1:])
    )
    share = torch.minimum(x - left, right - x) / (right - left).clamp_min(1)
    corner = 1 - ((share - CORNERS[0]) / (CORNERS[1] - CORNERS[0])).clamp(0, 1)
    above = (to_upright(ring, across)[..., 1].mean(dim=1, keepdim=True) - y + 0.5).clamp(0, 1)
    return -signed_distance(cells, ring).reshape(shape), corner.reshape(shape), above.reshape(shape)


def _unlike(picture: Tensor, around: Tensor, corner: Tensor, bounds: tuple[float, float]) -> Tensor:
    """Return `[B, 1, h, w]` in 0-1: how far pixels are too dark or too light for what is around."""
    light, usual = (colour.mean(dim=1, keepdim=True) for colour in (picture, around))
    ratio = light / usual.clamp_min(0.02)
    dark = ((bounds[1] - ratio) / (bounds[1] - bounds[0])).clamp(0, 1) * corner
    bright = ((ratio - LIGHT[0]) / (LIGHT[1] - LIGHT[0])).clamp(0, 1)
    return torch.maximum(dark, bright)


def _rough(picture: Tensor, around: Tensor, ring: Tensor, scale: int) -> Tensor:
    """Return `[B, 1, 1, 1]` in 0-1: how far the ring `[B, 1, h, w]` is hair or glitter.

    Grey hairs are as light as teeth, but light and dark ones alternate.
    """
    light, usual = (colour.mean(dim=1, keepdim=True) for colour in (picture, around))
    near = F.avg_pool2d(light, 2 * scale + 1, 1, scale, count_include_pad=False)
    rough = ring * (light - near).abs() / usual.clamp_min(0.02)
    rough, all_ = (part.sum(dim=(2, 3), keepdim=True) for part in (rough, ring))
    return rise(rough / all_.clamp_min(1), *ROUGH)


def _average(
    picture: Tensor, known: Tensor, deviation: float, fallback: Tensor | None = None
) -> Tensor:
    """Return the mean colour `[B, 3, h, w]` around each pixel, of those that are `known`."""
    few = FEW if fallback is not None else 1e-4
    other = picture.mean(dim=(2, 3), keepdim=True) if fallback is None else fallback
    sums = blurred(torch.cat([picture * known, known], dim=1), deviation)
    return (sums[:, :3] + few * other) / (sums[:, 3:] + few)


def blurred(picture: Tensor, deviation: float, *, rows: bool = True) -> Tensor:
    """Return `[B, C, h, w]` averaged with a Gaussian's weights, across alone without the `rows`."""
    radius = ceil(3 * deviation)
    place = torch.arange(-radius, radius + 1, device=picture.device)
    weights = torch.exp(-(place / deviation).square() / 2).to(picture)
    channels = picture.shape[1]
    kernel = (weights / weights.sum()).expand(channels, 1, -1)
    across = F.conv2d(picture, kernel[:, :, None], padding=(0, radius), groups=channels)
    if not rows:
        return across
    return F.conv2d(across, kernel[..., None], padding=(radius, 0), groups=channels)
