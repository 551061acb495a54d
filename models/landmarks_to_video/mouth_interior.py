"""What lies between parted lips: a cavity, the tongue, lower and upper teeth; never lip.

Anatomy says where each of them lies and how light falls in. The colours in speech follow 189 filmed
frames of 49 people, but the cavity is darker and the teeth are lighter than their mean, in which a
tracker finds no opening (docs/experiments.md).
"""

from dataclasses import dataclass, fields, replace
from typing import Self

import torch
from torch import Tensor, nn

from models.landmarks_to_video.complexion import COMPLEXION
from models.landmarks_to_video.face_regions import MOUTH, mean_height, rows_of
from models.landmarks_to_video.lip_lines import UprightLips
from models.landmarks_to_video.warping import pixel_grid

CAVITY = (0.27, 0.14, 0.13)
"""Colour of the cavity beside that of the lips."""
TONGUE, ENAMEL = (0.48, 0.34, 0.36), (0.86, 0.82, 0.74)
"""Colours at a skin's brightness of 1: of the tongue beside the skin's tint, and of teeth. Both go
with the root of that brightness.
"""
TEETH_OPACITY = 0.98201376
"""Sigmoid of 4, with which the retouch was trained; lower teeth have a share of it."""
CLOSED, PARTED = 1.0, 1.75
"""Mean height, px, up to which an opening is none: lips that touch stay shut all along; and from
which it is one.
"""
LOWER_TEETH, LOWER_LIGHT = 0.12, (0.80, 0.77, 0.77)
"""Opacity and light of lower teeth: they stand in the shade, and in full look like a second row."""
SPOKEN_LIGHT, LIP_SHADOW = (0.98, 0.93, 0.91), (0.30, 0.32, 0.32)
"""Light on upper teeth in speech, and how much of it the lip above them takes: what falls upon them
has been reflected by lips and tongue. A smile lets all light in.
"""
NARROW_LIGHT, NARROW, WIDE = 0.5, 2.0, 10.0
"""Share of that light which a narrow opening lets in; heights, px, of a narrow and a wide one."""
RIM = 2.0
"""Pixels around the opening over which the painter may still paint upon the lips."""
LOWERED, LOWERED_FROM = 3.5, 6.0
"""Pixels by which the lower lip's edge is drawn too low, and the height of the opening from which
on: the retouch lets the lip roll inward over it, and a tracker would find the opening too small.
"""
REACH = 5.0
"""Pixels around the opening over which its retouch fades to nothing."""


@dataclass(frozen=True)
class Opening:
    """Where each pixel of a window lies in the opening, px; all maps `[B, 1, h, w]`.

    below_upper, above_lower: vertical distances from the lips' edges, positive inside.
    sideways: distance from the middle over that of the eyes.
    height: of the opening above and below the pixel.
    inside: 1 in the opening, soft over one pixel of the picture.
    reach: 1 in the opening, falling to 0 around it: where its retouch can be seen.
    """

    below_upper: Tensor
    above_lower: Tensor
    sideways: Tensor
    height: Tensor
    inside: Tensor
    reach: Tensor

    @classmethod
    def of(cls, landmarks: Tensor, origin: Tensor, scale: int = 1, lowered: float = 0.0) -> Self:
        """Measure the inner lips of `[B, 79, 2]` over the mouth's window at `origin` `[B, 2]`.

        The lower lip's edge is taken `lowered` px further down where lips are well apart.
        """
        height, width = scale * MOUTH.height, scale * MOUTH.width
        cells = pixel_grid(height, width, 1 / scale).to(landmarks).reshape(1, -1, 2)
        lips = UprightLips.of(landmarks)
        x, y = lips.from_crop(cells + origin[:, None].to(landmarks)).unbind(dim=-1)
        upper, lower = lips.edges(x)
        lower = lower + lowered * ((lower - upper) / LOWERED_FROM).clamp(0, 1)
        from_corner = torch.minimum(x - lips.corners[:, :1], lips.corners[:, 1:] - x)
        depth = torch.minimum(torch.minimum(y - upper, lower - y), from_corner)
        maps = (y - upper, lower - y, x / lips.interocular[:, None], lower - upper)
        parted = _rise(mean_height(landmarks[:, MOUTH.polygons[0]]), CLOSED, PARTED)
        inside = (scale * depth + 0.5).clamp(0, 1) * parted[:, None]
        reach = (1 + depth / REACH).clamp(0, 1).square() * parted[:, None]
        return cls(*(m.reshape(-1, 1, height, width) for m in (*maps, inside, reach)))

    def rows(self) -> slice:
        """Return the window's rows in which any mouth of the batch is open."""
        return rows_of(self.inside[:, 0] > 0)

    def within(self, rows: slice) -> Self:
        """Return the maps of some rows alone."""
        maps = {field.name: getattr(self, field.name)[:, :, rows] for field in fields(self)}
        return replace(self, **maps)

    def keep_near(self, mask: Tensor) -> Tensor:
        """Return the mask `[B, 1, h, w]` of a painter, 1 where it must not paint upon the lips."""
        outside = (-torch.minimum(self.below_upper, self.above_lower)).clamp_min(0)
        return 1 - (1 - mask) * torch.exp(-outside / RIM)


class Interior(nn.Module):
    """Draws the inside of a mouth as its anatomy and its light have it."""

    def __init__(self) -> None:
        super().__init__()
        self.enamel = nn.Linear(COMPLEXION, 3)
        nn.init.zeros_(self.enamel.weight)
        with torch.no_grad():
            self.enamel.bias.copy_(torch.tensor(ENAMEL).log())

    def forward(self, opening: Opening, teeth: Tensor, skin: Tensor, smile: Tensor) -> Tensor:
        """Return colours `[B, 3, h, w]`, to be seen where the lips are open.

        Args:
            opening: where each pixel lies.
            teeth: `[B, 8, h, w]` of `models.landmarks_to_video.dentition`.
            skin: `[B, COMPLEXION]` of `models.landmarks_to_video.complexion`.
            smile: `[B]` in 0-1, of `models.landmarks_to_video.teeth_placement`.
        """
        brightness = skin[:, :1, None, None].exp()
        lips = brightness * skin[:, 4:, None, None].exp()
        tint = brightness.sqrt() * skin[:, 1:4, None, None].exp()
        cavity, tongue = lips * _colour(CAVITY, skin), tint * _colour(TONGUE, skin)
        colour = cavity + _tongue(opening) * (tongue - cavity)
        enamel = self.enamel_colour(skin)[..., None, None]
        upper = _light_on_upper(opening, smile[:, None, None, None])
        for row, shade in ((1, _light_on_lower(opening)), (0, upper)):
            shown, visible = teeth[:, 4 * row : 4 * row + 3], teeth[:, 4 * row + 3 : 4 * row + 4]
            opacity = TEETH_OPACITY * visible
            seen_from = 3.0 if row else 1.5
            opacity = opacity * _rise(opening.height, seen_from, seen_from + 2)
            if row:
                opacity = LOWER_TEETH * opacity
            colour = colour + opacity * (shade * enamel * shown - colour)
        return colour

    def enamel_colour(self, skin: Tensor) -> Tensor:
        """Return the colour of enamel `[B, 3]`, 0-1, that suits a skin `[B, COMPLEXION]`."""
        colour: Tensor = (skin[:, :1] / 2).exp() * self.enamel(skin).exp()
        return colour


def _colour(colour: tuple[float, float, float], like: Tensor) -> Tensor:
    return like.new_tensor(colour)[:, None, None]


def _rise(value: Tensor, start: float, end: float) -> Tensor:
    """Return 0 up to the start, 1 from the end on, and a share of 1 between them."""
    return ((value - start) / (end - start)).clamp(0, 1)


def _tongue(opening: Opening) -> Tensor:
    """Return `[B, 1, h, w]`: how much of the tongue is seen, in wide openings and far below."""
    rise = 0.6 * opening.height * (1 - (opening.sideways / 0.34).square()).clamp_min(0)
    seen = torch.sigmoid((rise - opening.above_lower) / 1.2)
    shade = 0.35 + 0.65 * (1 - (opening.above_lower / rise.clamp_min(1)).clamp(0, 1)).sqrt()
    return seen * shade * _rise(opening.height, 7, 12)


def _light_on_upper(opening: Opening, smile: Tensor) -> Tensor:
    """Darker under the lip, the more so in speech, and the further back the teeth stand."""
    under_lip = torch.exp(-opening.below_upper.clamp_min(0) / 2.0)
    let_in = NARROW_LIGHT + (1 - NARROW_LIGHT) * _rise(opening.height, NARROW, WIDE)
    spoken = let_in * (_colour(SPOKEN_LIGHT, smile) - _colour(LIP_SHADOW, smile) * under_lip)
    light: Tensor = torch.lerp(spoken, 1.02 - 0.34 * under_lip, smile.sqrt())
    return light * _sides(opening)


def _light_on_lower(opening: Opening) -> Tensor:
    """Darker above the lip and in the shade of what is above."""
    above_lip = 1 - 0.35 * torch.exp(-opening.above_lower.clamp_min(0) / 1.5)
    in_the_open = 0.35 + 0.65 * torch.sigmoid((opening.below_upper - 5) / 2)
    return _colour(LOWER_LIGHT, above_lip) * above_lip * in_the_open * _sides(opening)


def _sides(opening: Opening) -> Tensor:
    return 1 - 0.2 * (opening.sideways / 0.42).square().clamp(0, 1)
