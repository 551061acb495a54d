"""What lies between parted lips: a cavity, the tongue, lower and upper teeth; never lip.

Anatomy says where each of them lies and how light falls in. The colours in speech follow 189 filmed
frames of 49 people, but the cavity is darker and the teeth are lighter than their mean, in which a
tracker finds no opening (docs/experiments.md).
"""

from dataclasses import dataclass, fields, replace
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.landmarks_to_video.face_regions import MOUTH, mean_height, rows_of
from models.landmarks_to_video.mouth.complexion import COMPLEXION
from models.landmarks_to_video.mouth.lip_lines import UprightLips
from models.landmarks_to_video.mouth.lip_shape import LipShape
from models.landmarks_to_video.ramps import rise
from models.landmarks_to_video.warping import pixel_grid

CAVITY = (0.27, 0.14, 0.13)
"""Colour of the cavity beside that of the lips."""
TONGUE, ENAMEL = (0.68, 0.50, 0.53), (0.86, 0.82, 0.74)
"""Colours at a skin's brightness of 1: of the tongue beside the skin's tint, and of teeth. Both go
with the root of that brightness.
"""
LIGHTEST_TONGUE = 1.3
"""How much lighter than the lips the tongue is at most: in a face in the shade, it would glow. Of
154 portraits, one in twenty would have more.
"""
TONGUE_RISE, TONGUE_WIDE, TONGUE_SOFT = 0.70, 0.31, 0.07
"""Share of the opening up to which the tongue rises in the middle; its half width in inter-ocular
distances; share of the opening over which its back passes into the dark.
"""
TONGUE_FROM, TONGUE_TO = 4.0, 8.0
"""Heights of the opening, px, from which the tongue is seen, and seen in full."""
CREST, CREST_SOFT, TONGUE_BACK, TONGUE_SIDES = 0.52, 0.4, 0.35, 0.5
"""Share of its rise at which most light falls on the tongue, and over which light falls off; the
light that its back keeps, and that its sides lack.
"""
TIP_SHADE, TIP_SHADED = 0.7, 3.0
"""Light that the lower lip keeps from the tongue's tip; pixels over which its shade fades."""
GROOVE, GROOVE_WIDE, GROOVE_TIP = 0.08, 0.03, (0.1, 0.5)
"""Light that the groove along the tongue lacks; its half width in inter-ocular distances; shares of
the tongue's rise between which it sets in, behind the tip.
"""
LIP_COLOURS = (-1.4, 0.5)
"""Log of the lips' colour over the skin's brightness beyond which it is a lipstick's: of the 453
portraits that tell how enamel follows it, one in a hundred has less, and one has more.
"""
DIMMED, DIM = 0.15, (1.0, 1.4)
"""Log by which enamel in the shade is darker than those portraits, most of them well lit, have it;
and the logs of a skin's darkness from which on, and at which: the mean of 55 portraits.
"""
CLOSED, PARTED = 1.0, 1.75
"""Mean height, px, up to which an opening is none: lips that touch stay shut all along; and from
which it is one.
"""
LOWER_BARED, LOWER_LIGHT = 0.95, (0.965, 0.905, 0.88)
"""Opacity of lower teeth; their light. They stand in the shade: in full light, they look like a
second row.
"""
LOWER_OWN_LIGHT = (1.07, 1.03, 1.02)
"""Their light beside a portrait's own: in 15 photographs that show both rows, they are .86 times as
light as the upper ones, and hardly redder.
"""
LOWER_LIP_SHADE, LOWER_LIP_SHADED = 0.3, 2.0
"""Light that the lower lip keeps from the teeth behind it; pixels over which its shade fades."""
OVERHUNG, OVERHANG = 0.8, 2.5
"""Light that drawn upper teeth keep from lower ones just below them; pixels over which it returns.
Without that shade, rows that meet are one grey block.
"""
UPPER_FROM, LOWER_FROM, TEETH_SOFT = 1.5, 3.0, (1.0, 2.0)
"""Heights of the opening, px, from which upper and lower teeth are drawn, and px more at which they
are drawn in full: what is between is neither dark nor teeth.
"""
SPOKEN_LIGHT, LIP_SHADOW = (0.92, 0.83, 0.81), (0.30, 0.32, 0.32)
"""Light on upper teeth in speech, and how much of it the lip above them takes: what falls upon them
has been reflected by lips and tongue.
"""
SMILING_LIGHT, SMILING_SHADOW = 1.0, 0.15
"""Light on upper teeth in a smile, and how much of it the lip above them takes: it lies flat."""
SLIVER, GAPING = (1.5, 3.0), (3.0, 6.0)
"""Heights, px, up to which upper teeth are a sliver, and from which they are none; heights of what
is open below them from which a sliver fades, and at which it is gone.
"""
NARROW_LIGHT, NARROW, WIDE = 0.45, 2.0, 14.0
"""Share of that light which a narrow opening lets in; heights, px, of a narrow and a wide one."""
ROUNDED_DARK = 0.6
"""Share of the light on upper teeth, and of the sight of the tongue, that rounded lips keep out."""
SPOKEN_SIDES, SMILING_SIDES, LOWER_SIDES = 0.45, 0.2, 0.8
"""Share of the light that teeth at the corners lack: upper ones in speech and in a smile, and lower
ones, whose row recedes into the dark.
"""
OWN_LIGHT, OWN_SHADOW, OWN_SIDES = 1.06, 0.34, (0.9, 0.4)
"""Light on upper teeth beside a portrait's own, and how much of it the lip takes; share of it that
teeth at the corners lack in a narrow and in a wide opening.
"""
IN_THE_LIGHT, FARTHEST = 0.05, 0.4
"""Inter-ocular distances from the middle, counted to the lit side, from which the light falls off,
and over which it does at most.
"""
LOWER_SHARE, LOWER_SOFT = 0.3, 0.5
"""Share of a parted opening up to which lower teeth behind it reach; pixels over which they end."""
RIM = 2.0
"""Pixels around the opening over which the painter may still paint upon the lips."""
LOWERED, LOWERED_FROM = 2.0, 6.0
"""Pixels by which the lower lip's edge is drawn too low, and the height of the opening from which
on: the retouch lets the lip roll inward over it, and a tracker would find the opening too small.
Not in a smile: on photographs, the lip begins above the tracker's landmarks, and teeth rest on it.
"""
THIN = (0.06, 0.10)
"""Thickness of a closed portrait's lower lip, in inter-ocular distances, up to which its edge is
not drawn too low, and from which it is: of 845, none and one in 25 have less.
"""
SPARSE = (0.12, 0.14)
"""The same, up to which the lip is drawn in the lips' colour, and from which it is the portrait's
own: thin lips roll inward, and what a closed mouth shows of them is in the shade between them.
"""
ROLLED, ROLLED_SOFT, ROLLED_FULL = 3.2, 1.2, 0.75
"""Pixels below the opening's middle over which such a lip is drawn; over which it ends; opacity."""
ROLLED_FROM = (2.0, 7.0)
"""Heights of the opening, px, from which that lip is seen, and seen in full."""
REACH, UNDER_UPPER, OVER_LOWER = 5.0, (1.0, 3.0), (2.5, 5.5)
"""Pixels around the opening over which its retouch fades to nothing; and inside of it, from where
to where, under the upper lip and over the lower one, which rolls inward.
"""


@dataclass(frozen=True)
class Opening:
    """Where each pixel of a window lies in the opening, px; all maps `[B, 1, h, w]`.

    shape: that of the lips.
    lips: their edges.
    below_upper, above_lower: vertical distances from the lips' edges, positive inside.
    sideways: distance from the middle over that of the eyes.
    down: distance below the lips' middle.
    height: of the opening above and below the pixel.
    inside: 1 in the opening, soft over one pixel of the picture.
    reach: 1 at the lips' edges and all over a smile, falling to 0 around the opening and deep in
        it: where its retouch can be seen.
    """

    shape: LipShape
    lips: UprightLips
    below_upper: Tensor
    above_lower: Tensor
    sideways: Tensor
    down: Tensor
    height: Tensor
    inside: Tensor
    reach: Tensor

    @classmethod
    def of(
        cls,
        landmarks: Tensor,
        origin: Tensor,
        scale: int = 1,
        lowered: Tensor | float = 0.0,
        rest: Tensor | None = None,
    ) -> Self:
        """Measure the inner lips of `[B, 79, 2]` over the mouth's window at `origin` `[B, 2]`.

        The lower lip's edge is taken `lowered` px further down where lips are well apart, but not
        in a smile. `rest` are the portrait's landmarks, beside which lips smile.
        """
        height, width = scale * MOUTH.height, scale * MOUTH.width
        cells = pixel_grid(height, width, 1 / scale).to(landmarks).reshape(1, -1, 2)
        shape, lips = LipShape.of(landmarks, rest), UprightLips.of(landmarks)
        x, y = lips.from_crop(cells + origin[:, None].to(landmarks)).unbind(dim=-1)
        upper, lower = lips.edges(x)
        lowered = lowered * (1 - shape.smile[:, 0, 0])
        lower = lower + lowered * ((lower - upper) / LOWERED_FROM).clamp(0, 1)
        from_corner = torch.minimum(x - lips.corners[:, :1], lips.corners[:, 1:] - x)
        depth = torch.minimum(torch.minimum(y - upper, lower - y), from_corner)
        maps = (y - upper, lower - y, x / lips.interocular[:, None], y, lower - upper)
        parted = rise(mean_height(landmarks[:, MOUTH.polygons[0]]), CLOSED, PARTED)
        inside = (scale * depth + 0.5).clamp(0, 1) * parted[:, None]
        at_upper, at_lower = 1 - rise(y - upper, *UNDER_UPPER), 1 - rise(lower - y, *OVER_LOWER)
        near = torch.maximum(at_upper, at_lower).maximum(shape.smile.sqrt()[:, 0, 0])
        reach = (1 + depth / REACH).clamp(0, 1).square() * near * parted[:, None]
        return cls(shape, lips, *(m.reshape(-1, 1, height, width) for m in (*maps, inside, reach)))

    def rows(self) -> slice:
        """Return the window's rows in which any mouth of the batch is open."""
        return rows_of(self.inside[:, 0] > 0)

    def within(self, rows: slice) -> Self:
        """Return the maps of some rows alone."""
        names = [f.name for f in fields(self) if f.name not in {"shape", "lips"}]
        maps: dict[str, Any] = {name: getattr(self, name)[:, :, rows] for name in names}
        return replace(self, **maps)

    def behind(self, teeth: Tensor, upper: Tensor, lower: Tensor) -> Tensor:
        """Return teeth `[B, 8, h, w]` as they stand behind a portrait's own.

        The lower ones leave room for the tongue.

        Args:
            teeth: of `models.landmarks_to_video.mouth.dentition`.
            upper, lower: `[B, 1, h, w]` in 0-1, where the portrait shows no such row.
        """
        low = rise(LOWER_SHARE * self.height - self.above_lower, -LOWER_SOFT, LOWER_SOFT)
        seen = teeth[:, 3:4] * upper, teeth[:, 7:] * lower * low
        return torch.cat([teeth[:, :3], seen[0], teeth[:, 4:7], seen[1]], dim=1)

    def no_sliver(self, upper: Tensor, scale: int) -> Tensor:
        """Return `[B, 1, 1, 1]` in 0-1: 0 where upper teeth `[B, 1, h, w]` are a mere sliver that
        hangs from the lip into a wide opening. In its shade, that looks like a frayed lip.
        """
        bared = (upper * self.inside).sum(dim=2, keepdim=True).amax(dim=3, keepdim=True) / scale
        highest = (self.height * self.inside).amax(dim=(2, 3), keepdim=True)
        return 1 - (1 - rise(bared, *SLIVER)) * rise(highest - bared, *GAPING)

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

    def forward(
        self,
        opening: Opening,
        teeth: Tensor,
        skin: Tensor,
        slant: Tensor | None = None,
        *,
        beside_own: bool = False,
        tongue: bool = True,
    ) -> Tensor:
        """Return colours `[B, 3, h, w]`, to be seen where the lips are open.

        Args:
            opening: where each pixel lies.
            teeth: `[B, 8, h, w]` of `models.landmarks_to_video.mouth.dentition`.
            skin: `[B, COMPLEXION]` of `models.landmarks_to_video.mouth.complexion`.
            slant: `[B]` how light grows to the right (`sidelight`); None if it is even.
            beside_own: whether the upper teeth stand beside a portrait's own, in the same light.
            tongue: whether one is drawn; behind a portrait's own lower teeth, it would be a second.
        """
        brightness = skin[:, :1, None, None].exp()
        lips = brightness * skin[:, 4:, None, None].exp()
        tint = brightness.sqrt() * skin[:, 1:4, None, None].exp()
        colour = lips * _colour(CAVITY, skin)
        bared, rounded = opening.shape.smile.sqrt(), opening.shape.rounding
        let_in = 1 - ROUNDED_DARK * rounded
        if tongue:
            seen, light_on_it = _tongue(opening)
            red = tint * _colour(TONGUE, skin)
            lighter = red.mean(dim=1, keepdim=True) / lips.mean(dim=1, keepdim=True)
            red = red * (LIGHTEST_TONGUE / lighter).clamp_max(1)
            colour = torch.lerp(colour, red * light_on_it, (1 - bared) * let_in * seen)
        enamel = self.enamel_colour(skin)[..., None, None]
        if beside_own:
            upper = _light_beside_own(opening)
        else:
            upper = _light_on_upper(opening, bared) * let_in
        lower = _light_on_lower(opening, LOWER_OWN_LIGHT if beside_own else LOWER_LIGHT)
        lower = lower * (1 - OVERHUNG * _above(teeth[:, 3:4]))
        for row, light, share, height in (
            (1, lower, LOWER_BARED * (1 - rounded), LOWER_FROM),
            (0, upper, 1.0, UPPER_FROM),
        ):
            shown, visible = teeth[:, 4 * row : 4 * row + 3], teeth[:, 4 * row + 3 : 4 * row + 4]
            opacity = share * visible * rise(opening.height, height, height + TEETH_SOFT[row])
            colour = torch.lerp(colour, light * enamel * shown, opacity)
        return colour if slant is None else colour * _from_aside(opening, slant)

    def enamel_colour(self, skin: Tensor) -> Tensor:
        """Return the colour of enamel `[B, 3]`, 0-1, that suits a skin `[B, COMPLEXION]`."""
        natural = torch.cat([skin[:, :4], skin[:, 4:].clamp(*LIP_COLOURS)], dim=1)
        dimmed = DIMMED * rise(-skin[:, :1], *DIM)
        colour: Tensor = (skin[:, :1] / 2 - dimmed).exp() * self.enamel(natural).exp()
        return colour


def _colour(colour: tuple[float, float, float], like: Tensor) -> Tensor:
    return like.new_tensor(colour)[:, None, None]


def _tongue(opening: Opening) -> tuple[Tensor, Tensor]:
    """Return `[B, 1, h, w]` each: how far the tongue is seen, and the light on it.

    It is a dome. Its tip goes with the lower lip, and its back ends in the dark at a share of the
    opening: what it does between the two, lips do not tell.
    """
    top = TONGUE_RISE * opening.height.clamp_min(1)
    aside = (opening.sideways / TONGUE_WIDE).square()
    above_it = opening.above_lower - top * (1 - aside).clamp_min(0).sqrt()
    seen = torch.sigmoid(-above_it / (TONGUE_SOFT * opening.height).clamp_min(1))
    along = opening.above_lower / top
    crest = torch.exp(-((along - CREST) / CREST_SOFT).square())
    groove = torch.exp(-(opening.sideways / GROOVE_WIDE).square()) * rise(along, *GROOVE_TIP)
    shade = TIP_SHADE * torch.exp(-opening.above_lower.clamp_min(0) / TIP_SHADED)
    light = (TONGUE_BACK + (1 - TONGUE_BACK) * crest) * (1 - shade)
    light = light * (1 - TONGUE_SIDES * aside).clamp_min(0) * (1 - GROOVE * groove)
    return seen * rise(opening.height, TONGUE_FROM, TONGUE_TO), _let_in(opening) * light


def rolled_lip(opening: Opening, skin: Tensor, thickness: Tensor) -> tuple[Tensor, Tensor]:
    """Return the colour `[B, 3, 1, 1]` of a thin lower lip, and where it is seen, `[B, 1, h, w]`.

    Args:
        opening: where each pixel lies.
        skin: `[B, COMPLEXION]`.
        thickness: `[B]` of the portrait's lower lip, in inter-ocular distances.
    """
    sparse = (1 - rise(thickness, *SPARSE))[:, None, None, None]
    # Towards the corners, the opening is lower, and so is the lip.
    highest = opening.height.amax(dim=(2, 3), keepdim=True).clamp_min(1)
    across = (opening.height / highest).clamp_min(0)
    below = -opening.above_lower
    within = rise(ROLLED * across.sqrt() - below, -ROLLED_SOFT, ROLLED_SOFT) * (below > -1)
    seen = ROLLED_FULL * sparse * within * rise(opening.height, *ROLLED_FROM)
    colour = (skin[:, :1] + skin[:, 4:]).exp()[..., None, None]
    return colour, seen


def _let_in(opening: Opening) -> Tensor:
    """Return the share of the light that the opening lets in, `[B, 1, h, w]`."""
    return NARROW_LIGHT + (1 - NARROW_LIGHT) * rise(opening.height, NARROW, WIDE)


def _from_aside(opening: Opening, slant: Tensor) -> Tensor:
    """Return the share of the light that falls from one side, `[B, 1, h, w]`.

    On the lit side, all of it: there teeth are as light in a slanting light as in any.
    """
    slant = slant[:, None, None, None]
    lost = (slant * opening.sideways - IN_THE_LIGHT * slant.abs()).clamp_max(0)
    return lost.clamp_min(-FARTHEST * slant.abs()).exp()


def _light_on_upper(opening: Opening, smile: Tensor) -> Tensor:
    """Darker under the lip and to the sides, the more so in speech."""
    under_lip = torch.exp(-opening.below_upper.clamp_min(0) / 2.0)
    spoken = _colour(SPOKEN_LIGHT, smile) - _colour(LIP_SHADOW, smile) * under_lip
    spoken = _let_in(opening) * spoken * _sides(opening, SPOKEN_SIDES)
    smiling = (SMILING_LIGHT - SMILING_SHADOW * under_lip) * _sides(opening, SMILING_SIDES)
    light: Tensor = torch.lerp(spoken, smiling, smile)
    return light


def _light_beside_own(opening: Opening) -> Tensor:
    """As light as the portrait shows its own teeth, whatever the opening; darker under the lip, and
    to the sides as far as a narrow opening keeps light from them.
    """
    under_lip = torch.exp(-opening.below_upper.clamp_min(0) / 2.0)
    lit = rise(opening.height, NARROW, WIDE)
    fall = torch.lerp(lit.new_tensor(OWN_SIDES[0]), lit.new_tensor(OWN_SIDES[1]), lit)
    return (OWN_LIGHT - OWN_SHADOW * under_lip) * _sides(opening, fall)


def _above(upper: Tensor) -> Tensor:
    """Return how much of the OVERHANG px above each pixel upper teeth `[B, 1, h, w]` take, 0-1."""
    rows = max(round(OVERHANG * upper.shape[3] / MOUTH.width), 1)
    return F.avg_pool2d(F.pad(upper, (0, 0, rows, 0)), (rows, 1), stride=1)[:, :, :-1]


def _light_on_lower(opening: Opening, colour: tuple[float, float, float]) -> Tensor:
    """Darker above the lip and in the shade of what is above."""
    depth = opening.above_lower.clamp_min(0) / LOWER_LIP_SHADED
    above_lip = 1 - LOWER_LIP_SHADE * torch.exp(-depth)
    in_the_open = 0.35 + 0.65 * torch.sigmoid((opening.below_upper - 5) / 2)
    light = _colour(colour, above_lip) * above_lip * in_the_open
    return light * _sides(opening, LOWER_SIDES)


def _sides(opening: Opening, fall: Tensor | float) -> Tensor:
    return 1 - fall * (opening.sideways / 0.42).square().clamp(0, 1)
