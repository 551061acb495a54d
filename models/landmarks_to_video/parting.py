"""A portrait that shows its teeth opens wider: what it shows parts along a dark line.

A spline stretches all that lies between the lips. But teeth are rigid: what lies above the line
goes with the upper lip, what lies below with the lower one, and a cavity opens between the two.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from models.landmarks_to_video.dentition import TOOTH_AREA, read_teeth, tooth_area
from models.landmarks_to_video.lip_lines import UprightLips
from models.landmarks_to_video.mouth_interior import Opening
from models.landmarks_to_video.warping import sample

TOOTH_SHARE = 0.25
"""Share of what the lips bare that must look like teeth; less is a mouth in the dark."""
COLUMNS, DEPTHS = 64, 48
"""Places from corner to corner and from lip to lip at which a portrait is read."""
AVERAGED = 5
"""Columns over which the light is averaged before the dark line is looked for."""
MIDDLE = slice(COLUMNS // 4, 3 * COLUMNS // 4)
CAVITY_ABOVE = 0.25
"""Share of the opening that must be dark above the brightest teeth, lest they are upper ones."""
STEEPEST, BEYOND = 1, 2.0
"""Rows by which the line climbs or falls from column to column; light where it must not go."""
LINE = 0.6
"""Pixels above and below the line that are stretched and not moved."""
GIVE = 1.15
"""How much what is moved may be stretched: as lips part, they bare more of their teeth.

On 118 filmed pairs with wider openings, this has less error than 1.0, and looks better than 1.25.
"""
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


def parting_line(image: Tensor, landmarks: Tensor, scale: int, skin: Tensor) -> Tensor | None:
    """Return `[1, COLUMNS]`: where teeth end, as a share of the way from upper to lower lip.

    That is below upper teeth, or above lower ones where the portrait shows those alone. None for a
    portrait that shows no teeth.

    Args:
        image: `[1, 3, scale * 256, scale * 256]`, 0-1.
        landmarks: `[1, 79, 2]` px of a 256 px crop.
        scale: 1 or 2.
        skin: `[1, COMPLEXION]` around the mouth.
    """
    bared, colour = read_teeth(image, landmarks, landmarks.new_zeros(1, 2), scale)
    seen = float((bared[0, 0, 3] > 0.5).sum())
    if float(tooth_area(bared, colour, skin)) <= max(TOOTH_AREA, TOOTH_SHARE * seen):
        return None
    light = _light_between(image, landmarks, scale)
    profile = light[:, MIDDLE].mean(dim=1)
    brightest = int(profile.argmax())
    dark = profile < (profile.max() + profile.min()) / 2
    above, below = (float(part.sum()) / DEPTHS for part in (dark[:brightest], dark[brightest:]))
    rows = torch.arange(DEPTHS, device=light.device)[:, None]
    beyond = rows >= brightest if above < max(below, CAVITY_ABOVE) else rows <= brightest
    path = _darkest_path(torch.where(beyond, light, BEYOND).cpu())
    return ((path + 0.5) / DEPTHS)[None].to(landmarks)


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
    light = sample(image, places.reshape(1, DEPTHS, COLUMNS, 2), scale).mean(dim=1)[0]
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


def part(line: Tensor, opening: Opening, source: Tensor, target: Tensor, scale: int) -> Parting:
    """Part what a portrait shows between its lips.

    Args:
        line: `[B, COLUMNS]` of `parting_line`.
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
    at = _between_columns(line, share)
    top, bottom = (at * height - LINE).clamp_min(0), ((1 - at) * height - LINE).clamp_min(0)
    band = (height - top - bottom).clamp_min(1e-3)
    give = ((wider - band) / (top + bottom).clamp_min(0.01)).clamp(0.01, GIVE)
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
