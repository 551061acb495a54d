"""The inside of an open portrait's mouth: one set of teeth, however wide or narrow the lips are.

A spline stretches and squeezes all that lies between the lips. But teeth are rigid: what lies
above a line keeps its place on the skull, or hangs from an upper lip that rises; what lies below
goes with the lower lip. Lips that part open a cavity between the two; as they close, one row slides
behind the other, and lips cover both. If no teeth are seen, all goes with the lower lip. What is no
tooth gives way to what is drawn, and so does what lies beyond the portrait's corners. So do teeth
of which a portrait shows too little, in every opening.
"""

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor
from torch.nn import functional as F

from models.landmarks_to_video.mouth.interior import Opening
from models.landmarks_to_video.mouth.lip_lines import UprightLips
from models.landmarks_to_video.mouth.open_mouth import OpenMouth
from models.landmarks_to_video.mouth.teeth_line import COLUMNS
from models.landmarks_to_video.mouth.tooth_rows import LINE
from models.landmarks_to_video.ramps import rise

CAVITY_FROM, CAVITY_ALONE = 1.5, 3.0
"""How far the line is stretched before a cavity is seen in its place, and from when alone."""
VAGUE = 3.0
"""Pixels over which what is no tooth passes into the cavity beside it."""
BESIDE = (0.5, 2.0)
"""Pixels beyond the portrait's corners over which what it shows gives way to a cavity."""


@dataclass(frozen=True)
class Spots:
    """Pixels in and around an opening, `[B, M]` px each.

    lips: those of the opening.
    x, y: across and down from their middle.
    below, above: from the upper and from the lower lip's edge, positive inside.
    """

    lips: UprightLips
    x: Tensor
    y: Tensor
    below: Tensor
    above: Tensor

    @classmethod
    def of(cls, opening: Opening) -> Self:
        """Return the pixels of an opening."""
        x = opening.sideways * opening.lips.interocular[:, None, None, None]
        maps = x, opening.down, opening.below_upper, opening.above_lower
        return cls(opening.lips, *(map_.flatten(1) for map_ in maps))


@dataclass(frozen=True)
class Parting:
    """Where the inside of an opening lies in the portrait.

    places: `[B, M, 2]` px of the crop.
    behind: the same for what else is seen there, at the edge of a row that hides the other.
    share: `[B, M]` in 0-0.5, how far that is seen.
    cavity: `[B, M]` in 0-1, how far nothing of the portrait is seen there.
    bare: two `[B, M]` in 0-1, where the portrait has no upper and no lower teeth that are kept.
    """

    places: Tensor
    behind: Tensor
    share: Tensor
    cavity: Tensor
    bare: tuple[Tensor, Tensor]


def part_mouth(mouth: OpenMouth, spots: Spots, scale: int) -> Parting:
    """Part what a portrait shows between its lips.

    Args:
        mouth: of the portrait.
        spots: pixels of the wanted opening.
        scale: pixels of the window for each of the crop.
    """
    shown, wanted = mouth.lips, spots.lips
    growth = (wanted.interocular / shown.interocular)[:, None]
    below, above = spots.below / growth, spots.above / growth
    there, skull = _on_the_skull(spots, shown)
    upper, lower = shown.edges(there)
    left, right = shown.corners[:, :1], shown.corners[:, 1:]
    across = (there - left) / (right - left).clamp_min(1)
    height, wider = (lower - upper).clamp_min(0.01), (below + above).clamp_min(0.01)
    # An upper lip that sinks covers what it showed; one that rises takes it along.
    covered = (skull - below - upper).clamp_min(0)
    columns = _Columns.of(across)
    at = columns.read(mouth.line)
    top, bottom = (at * height - LINE).clamp_min(0), ((1 - at) * height - LINE).clamp_min(0)
    band = (height - top - bottom).clamp_min(1e-3)
    give = ((wider + covered - band) / (top + bottom).clamp_min(0.01)).clamp_min(1)
    give_above, give_below = (give.clamp_max(row.give) for row in (mouth.upper, mouth.lower))
    into, out_of = below + covered - give_above * top, above - give_below * bottom
    gap = torch.maximum(into + out_of, band)
    # Where the rows overlap, the one in front hides the other.
    in_front = mouth.upper.shown or not mouth.lower.shown
    into, out_of = (into, gap - into) if in_front else (gap - out_of, out_of)
    hanging, standing = (below + covered) / give_above, height - above / give_below
    between = top + into / gap * band
    if in_front:
        depth, hidden, edge = torch.where(into < 0, hanging, between), standing, out_of
    else:
        depth, hidden, edge = torch.where(out_of < 0, standing, between), hanging, into
    # The edge of the one in front is one pixel soft: what it hides is seen through it.
    sharp = scale * growth
    share, apart = (0.5 - sharp * edge.abs()).clamp_min_(0), hidden - depth
    depth = torch.where(edge < 0, hidden, depth)
    apart = torch.where(edge < 0, -apart, apart)
    ratio = wanted.height / growth[:, 0] / shown.height.clamp_min(0.1)
    stretched = (gap / band.clamp_min(2 * LINE) - CAVITY_FROM) / (CAVITY_ALONE - CAVITY_FROM)
    cavity, bare = _cavity(mouth, columns, (into, out_of), stretched.clamp_(0, 1), ratio, sharp)
    beyond = torch.maximum(left - there, there - right)
    cavity = torch.maximum(cavity, rise(beyond, *BESIDE))
    places = shown.to_crop(there, upper + depth)
    behind = places + apart[..., None] * shown.down
    return Parting(places, behind, share, cavity, bare)


def _cavity(
    mouth: OpenMouth,
    columns: "_Columns",
    gaps: tuple[Tensor, Tensor],
    stretched: Tensor,
    ratio: Tensor,
    sharp: Tensor,
) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """Return `cavity` and `bare` of a `Parting`.

    Args:
        mouth: of the portrait.
        columns: those of the pixels.
        gaps: `[B, M]` px of the portrait beyond the upper and beyond the lower row.
        stretched: `[B, M]` in 0-1, how far the line between them is stretched into a cavity.
        ratio: `[B]` height of the opening over the portrait's.
        sharp: `[B, 1]` pixels of the window for each of the portrait's.
    """
    rows = mouth.upper, mouth.lower
    upper_bare, lower_bare = (1 - columns.read(row.seen) for row in rows)
    bare = upper_bare, lower_bare
    soft = [rise(ratio, *row.soft)[:, None] for row in rows]
    # Teeth end in a sharp edge; what is none passes into the cavity.
    parts = above_gap, below_gap = [
        (0.5 - sharp * beyond / (1 + (VAGUE * sharp - 1) * stretched * none)).clamp(0, 1)
        for beyond, none in zip(gaps, bare, strict=True)
    ]
    cavity = stretched * (1 - above_gap - below_gap).clamp_min(0)
    for row, part, fades, no_tooth in zip(rows, parts, soft, bare, strict=True):
        if row.gone.any():
            gone = columns.read(row.gone)
            cavity += part * torch.maximum(fades * no_tooth, gone)
            # The line is one soft pixel wide; it goes with an upper row that is gone.
            cavity = torch.maximum(cavity, (1 - below_gap) * gone) if row is mouth.upper else cavity
            no_tooth.copy_(torch.maximum(no_tooth, gone))
        else:
            cavity += part * fades * no_tooth
    upper_bare = upper_bare * (1 - columns.read(mouth.dark))
    return cavity, (upper_bare, lower_bare if mouth.borrows_lower else torch.zeros_like(lower_bare))


def _on_the_skull(spots: Spots, shown: UprightLips) -> tuple[Tensor, Tensor]:
    """Return where spots lie in the portrait, `[B, M]` px across and down, if they keep their place
    on the skull: as far below the nose, and as far beside the middle between the lips' corners. As
    the head turns, the nose moves sideways more than teeth do.
    """
    wanted = spots.lips
    growth = (shown.interocular / wanted.interocular)[:, None]
    before, after = (
        torch.stack([lips.corners.mean(dim=1), lips.nose[:, 1]], dim=1) for lips in (shown, wanted)
    )
    within = torch.clamp(spots.x, wanted.corners[:, :1], wanted.corners[:, 1:])
    x = before[:, :1] + (within - after[:, :1]) * growth
    return x, before[:, 1:] + (spots.y - after[:, 1:]) * growth


@dataclass(frozen=True)
class _Columns:
    """Where pixels `[B, M]` lie between the columns: the one before, and how far beyond it."""

    before: Tensor
    beyond: Tensor

    @classmethod
    def of(cls, share: Tensor) -> Self:
        """Return the columns at shares `[B, M]` of the way from corner to corner."""
        place = (share * COLUMNS - 0.5).clamp_(0, COLUMNS - 1)
        before = place.floor().clamp_max_(COLUMNS - 2)
        return cls(before.long(), place.sub_(before))

    def read(self, line: Tensor) -> Tensor:
        """Read `[1, COLUMNS]` there, `[B, M]`."""
        steps = F.pad(line[0].diff(), (0, 1))
        return torch.addcmul(line[0].take(self.before), steps.take(self.before), self.beyond)
