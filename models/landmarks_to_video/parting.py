"""An open portrait's mouth opens wider: what it shows parts along a line.

A spline stretches all that lies between the lips. But teeth are rigid: what lies above the line
goes with the upper lip, what lies below with the lower one, and a cavity opens between the two. If
no teeth are seen, all goes with the lower lip.
"""

from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor
from torch.nn import functional as F

from models.landmarks_to_video.dentition import read_teeth, tooth_area
from models.landmarks_to_video.lip_lines import UprightLips, lip_lines
from models.landmarks_to_video.mouth_interior import Opening
from models.landmarks_to_video.warping import sample

TOOTH_SHARE = 0.25
"""Share of what the lips bare that must look like teeth; less is a mouth in the dark."""
COLUMNS, DEPTHS = 64, 48
"""Places from corner to corner and from lip to lip at which a portrait is read."""
AVERAGED = 5
"""Columns over which the light is averaged before the dark line is looked for."""
MIDDLE = slice(COLUMNS // 4, 3 * COLUMNS // 4)
DARK = 0.6
"""Light beside that of the brightest teeth below which the inside of a mouth is dark."""
CAVITY_ABOVE = 0.25
"""Share of the opening that must be dark above the brightest teeth; else those are upper teeth."""
STEEPEST, BEYOND = 1, 2.0
"""Rows by which the line climbs or falls from column to column; light where it must not go."""
LINE = 0.6
"""Pixels above and below the line that are stretched and not moved."""
TEETH_GIVE, SOFT_GIVE = 1.15, 1.7
"""How much what is moved may be stretched: as lips part, they bare more teeth, or more tongue.

On 118 filmed pairs with teeth and 644 without, openings that are stretched less have more error.
In the widest ones, teeth that are stretched more match film still better, but look too long.
"""
OPEN = 2.0
"""Mean height of the opening, px, from which a portrait is open."""
CAVITY_FROM, CAVITY_ALONE = 1.5, 3.0
"""How far the line is stretched before a cavity is seen in its place, and from when alone."""
WIDER = 0.05
"""Growth of the opening over which the parting sets in; lips that close cover what lies inside."""


@dataclass(frozen=True)
class Parting:
    """Where the inside of an opening lies in the portrait.

    places: `[B, h, w, 2]` px of the crop.
    cavity: `[B, 1, h, w]` in 0-1, how far nothing of the portrait is seen there.
    wider: `[B, 1, 1, 1]` in 0-1, how far the opening is a wider one than the portrait's.
    """

    places: Tensor
    cavity: Tensor
    wider: Tensor


@dataclass(frozen=True)
class OpenMouth:
    """What an open portrait shows between its lips.

    line: `[B, COLUMNS]` where it parts, as a share of the way from the upper to the lower lip:
        below upper teeth, above lower ones where those alone are seen, 0 without any.
    give: how much its parts may be stretched.
    shows_teeth: whether there are teeth.
    """

    line: Tensor
    give: float
    shows_teeth: bool

    def expand(self, batch: int) -> Self:
        """Repeat a single portrait's mouth."""
        return replace(self, line=self.line.expand(batch, -1))


def read_open_mouth(image: Tensor, landmarks: Tensor, scale: int, skin: Tensor) -> OpenMouth | None:
    """Read the mouth of a portrait; None if it is closed.

    Args:
        image: `[1, 3, scale * 256, scale * 256]`, 0-1.
        landmarks: `[1, 79, 2]` px of a 256 px crop.
        scale: 1 or 2.
        skin: `[1, COMPLEXION]` around the mouth.
    """
    if float(lip_lines(landmarks).height) < OPEN:
        return None
    bared, colour = read_teeth(image, landmarks, landmarks.new_zeros(1, 2), scale)
    seen = float(bared[0, 0, 3].sum())
    if float(tooth_area(bared, colour, skin)) <= TOOTH_SHARE * seen:
        return OpenMouth(landmarks.new_zeros(1, COLUMNS), SOFT_GIVE, shows_teeth=False)
    line = _line_beside_teeth(_light_between(image, landmarks, scale))
    return OpenMouth(line.to(landmarks), TEETH_GIVE, shows_teeth=True)


def _line_beside_teeth(light: Tensor) -> Tensor:
    """Return the line `[1, COLUMNS]` along teeth in the brightness `[DEPTHS, COLUMNS]`."""
    profile = light[:, MIDDLE].mean(dim=1)
    brightest = int(profile.argmax())
    dark = profile < DARK * profile.max()
    above, below = (float(part.sum()) / DEPTHS for part in (dark[:brightest], dark[brightest:]))
    rows = torch.arange(DEPTHS, device=light.device)[:, None]
    beyond = rows >= brightest if above < max(below, CAVITY_ABOVE) else rows <= brightest
    path = _darkest_path(torch.where(beyond, light, BEYOND).cpu())
    return ((path + 0.5) / DEPTHS)[None]


def _light_between(image: Tensor, landmarks: Tensor, scale: int) -> Tensor:
    """Return the brightness `[DEPTHS, COLUMNS]` between the lips, 0-1."""
    lips = UprightLips.of(landmarks)
    across, down = (
        (torch.arange(count, device=landmarks.device) + 0.5) / count for count in (COLUMNS, DEPTHS)
    )
    x = torch.lerp(lips.corners[:, :1], lips.corners[:, 1:], across)
    upper, lower = lips.edges(x)
    y = torch.lerp(upper[:, None], lower[:, None], down[:, None])
    places = lips.to_crop(x[:, None].expand_as(y).flatten(1), y.flatten(1))
    light = sample(image, places.reshape(1, DEPTHS, COLUMNS, 2), scale).amin(dim=1)[0]
    return F.avg_pool1d(light, AVERAGED, 1, AVERAGED // 2, count_include_pad=False)


def _darkest_path(light: Tensor) -> Tensor:
    """Return the rows `[COLUMNS]` of the path from side to side on which `[DEPTHS, COLUMNS]` sums
    up to least, by dynamic programming.
    """
    steps, sums = [], light[:, 0]
    for column in light[:, 1:].unbind(dim=1):
        padded = F.pad(sums, (STEEPEST, STEEPEST), value=torch.inf)
        least = padded.unfold(0, 2 * STEEPEST + 1, 1).min(dim=1)
        steps.append(least.indices - STEEPEST)
        sums = least.values + column
    path = [int(sums.argmin())]
    for step in reversed(steps):
        path.append(path[-1] + int(step[path[-1]]))
    return torch.tensor(path[::-1])


def part_mouth(
    mouth: OpenMouth, opening: Opening, source: Tensor, target: Tensor, scale: int
) -> Parting:
    """Part what a portrait shows between its lips.

    Args:
        mouth: of the portrait.
        opening: of the wanted face.
        source, target: the portrait's and the wanted landmarks, `[B, 79, 2]` px.
        scale: pixels of the window for each of the crop.
    """
    shown, wanted = UprightLips.of(source), UprightLips.of(target)
    growth = (wanted.interocular / shown.interocular)[:, None]
    below, above = (
        distance.flatten(1) / growth for distance in (opening.below_upper, opening.above_lower)
    )
    left, right = wanted.corners[:, :1], wanted.corners[:, 1:]
    x = opening.sideways.flatten(1) * wanted.interocular[:, None]
    share = ((x - left) / (right - left).clamp_min(1)).clamp(0, 1)
    there = torch.lerp(shown.corners[:, :1], shown.corners[:, 1:], share)
    upper, lower = shown.edges(there)
    height, wider = (lower - upper).clamp_min(0.01), (below + above).clamp_min(0.01)
    at = _between_columns(mouth.line, share)
    top, bottom = (at * height - LINE).clamp_min(0), ((1 - at) * height - LINE).clamp_min(0)
    band = (height - top - bottom).clamp_min(1e-3)
    give = ((wider - band) / (top + bottom).clamp_min(0.01)).clamp(0.01, mouth.give)
    gap = (wider - give * (top + bottom)).clamp_min(1e-3)
    into, out_of = below - give * top, above - give * bottom
    in_gap = top + into / gap * band
    depth = torch.where(
        into < 0, below / give, torch.where(out_of < 0, height - above / give, in_gap)
    )
    inside = (scale * growth * torch.minimum(into, out_of) + 0.5).clamp(0, 1)
    stretched = (gap / band - CAVITY_FROM) / (CAVITY_ALONE - CAVITY_FROM)
    heights = shown.height, wanted.height / growth[:, 0]
    growing = (heights[1] / heights[0].clamp_min(0.1) - 1) / WIDER
    batch, _, rows, columns = opening.inside.shape
    return Parting(
        shown.to_crop(there, upper + depth).reshape(batch, rows, columns, 2),
        (inside * stretched.clamp(0, 1)).reshape(batch, 1, rows, columns),
        growing.clamp(0, 1).reshape(batch, 1, 1, 1),
    )


def _between_columns(line: Tensor, share: Tensor) -> Tensor:
    """Read `[B, COLUMNS]` at shares `[B, M]` of the way from corner to corner."""
    place = (share * COLUMNS - 0.5).clamp(0, COLUMNS - 1)
    before = place.floor().clamp_max(COLUMNS - 2)
    column = before.long()
    return torch.lerp(line.gather(1, column), line.gather(1, column + 1), place - before)
