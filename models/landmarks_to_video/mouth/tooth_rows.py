"""The rows of teeth that an open portrait shows.

Rows lie above and below a line along which a mouth parts, each in `COLUMNS` from corner to corner.
"""

from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional as F

from models.landmarks_to_video.mouth.lip_lines import UprightLips
from models.landmarks_to_video.mouth.teeth_line import (
    AVERAGED,
    COLUMNS,
    DEPTHS,
    MIDDLE,
    teeth_line,
)

LINE = 0.6
"""Pixels above and below the line that are stretched and not moved."""
TEETH_GIVE, SOFT_GIVE = 1.15, 1.7
"""How much what is moved may be stretched: as lips part, they bare more teeth, or more tongue.

On 118 filmed pairs with teeth and 644 without, openings that are stretched less have more error.
In the widest ones, teeth that are stretched more match film still better, but look too long.
"""
UPPER_BARED, LOWER_BARED, LONGEST = 0.075, 0.05, 1.7
"""Heights, in inter-ocular distances, at which rows of teeth are bared by wide openings. A portrait
that shows their tips alone has them stretched to that, but not more than so many times.
"""
SOFT_UNTIL, SOFT_GONE = 1.5, 2.6
"""How much wider the opening is up to which what is no tooth stays, and from when it is gone."""
STRIP, STRIP_UNTIL, STRIP_GONE = (2.0, 4.0), 1.3, 1.7
"""The same for what lies between a row and the lip, where that is a mere strip: heights, px, up to
which it is one, and from which it is none. It shows the shade below the teeth and the rim of the
lip, which would part drawn teeth from the lip that hides them.
"""
FEW = 0.165
"""Half the width of a row, in inter-ocular distances: two or three front teeth. A narrower one
gives way to a whole borrowed row in every opening, because teeth that changed with the opening
would change within a word.
"""
SCRAP, CLEAR = 1.2, 1.0
"""Height of a scrap of a tooth that stands alone beyond the line, and of the dark between, px."""
OF_TEETH, LEAST, TALL = 0.25, 1.2, 0.5
"""Share of a part's middle that must look like teeth; its height, px; share of that height which
teeth at the sides must have.
"""
THIN, THIN_OF_TEETH = 3.0, 0.4
"""Height, px, up to which a part is thin, and the share of it that must look like teeth: of thin
ones that had .25 to .4, in 301 photographs, six showed the light rim of the lip, and none teeth.
"""


@dataclass(frozen=True)
class Row:
    """What lies above or below the line.

    seen: `[1, COLUMNS]` in 0-1, where it is teeth.
    give: how much it may be stretched.
    gone: `[1, COLUMNS]` in 0-1, where it gives way to what is drawn in every opening.
    soft: how much wider an opening is up to which what is no tooth stays, and from when it is gone.
    """

    seen: Tensor
    give: float = SOFT_GIVE
    gone: Tensor = field(default_factory=lambda: torch.zeros(1, COLUMNS))
    soft: tuple[float, float] = (SOFT_UNTIL, SOFT_GONE)

    @property
    def shown(self) -> bool:
        """Whether there are teeth at all."""
        return bool(self.seen.any())


def read_rows(
    between: Tensor, likeness: Tensor, lips: UprightLips, *, hanging: bool = False
) -> tuple[Tensor, Row, Row]:
    """Return the line `[1, COLUMNS]` along which a mouth with teeth parts, and the rows above and
    below it. If they are `hanging`, the brightest teeth are upper ones.
    """
    for bitten in (True, False):
        line, are_upper = teeth_line(
            between, likeness, heights(lips), bitten=bitten, hanging=hanging
        )
        above = above_line(line).to(likeness)
        upper = _row(above, likeness, lips, UPPER_BARED, found=are_upper)
        # A few upper teeth between rounded lips would give way to borrowed ones.
        if half_width(upper, lips) >= FEW:
            break
    return line, upper, _row(1 - above, likeness, lips, LOWER_BARED, found=not are_upper)


def above_line(line: Tensor) -> Tensor:
    """Return `[DEPTHS, COLUMNS]`: whether a place between the lips lies above the line."""
    return (torch.arange(DEPTHS).to(line) + 0.5)[:, None] < line * DEPTHS


def _row(part: Tensor, likeness: Tensor, lips: UprightLips, bared: float, *, found: bool) -> Row:
    """Tell teeth from what is none above or below the line.

    Args:
        part: `[DEPTHS, COLUMNS]`, 1 on the line's side.
        likeness: `[DEPTHS, COLUMNS]`, 1 on what looks like teeth.
        lips: of the portrait.
        bared: inter-ocular distances of these teeth that wide openings bare.
        found: whether the brightest teeth are among them.
    """
    height = float(part[:, MIDDLE].mean() * lips.height)
    columns = (likeness * part).sum(dim=0), part.sum(dim=0)
    middle = float(columns[0][MIDDLE].sum() / columns[1][MIDDLE].sum().clamp_min(1))
    least = OF_TEETH if height > THIN else THIN_OF_TEETH
    if not found and (middle < least or height < LEAST):
        nowhere, scraps = likeness.new_zeros(1, COLUMNS), _scraps(part, likeness, lips)
        return Row(nowhere, gone=scraps, soft=_until(middle_height(part, lips)))
    like = (columns[0] > OF_TEETH * columns[1]).to(likeness)
    tall = columns[0] * heights(lips)
    like = like * (tall > TALL * tall[MIDDLE].mean())
    between = like.cummax(dim=0).values * like.flip(0).cummax(dim=0).values.flip(0)
    seen = F.avg_pool1d(between[None], AVERAGED, 1, AVERAGED // 2)
    longest = bared * float(lips.interocular) / max(height - LINE, LINE)
    give = max(TEETH_GIVE, min(longest, LONGEST))
    return Row(seen, give, torch.zeros_like(seen))


def _until(height: float) -> tuple[float, float]:
    """Return when a part without teeth gives way that is so many px high."""
    low, high = STRIP
    strip = 1 - min(max((height - low) / (high - low), 0), 1)
    until = SOFT_UNTIL + strip * (STRIP_UNTIL - SOFT_UNTIL)
    return until, SOFT_GONE + strip * (STRIP_GONE - SOFT_GONE)


def _scraps(part: Tensor, likeness: Tensor, lips: UprightLips) -> Tensor:
    """Return `[1, COLUMNS]` in 0-1: where a part without a row has teeth that stand alone.

    Such a tooth is parted from the line by dark; what touches it belongs to the row beyond. The
    arguments are those of `_row`.
    """
    if part[0].sum() > part[-1].sum():  # above the line
        part, likeness = part.flip(0), likeness.flip(0)
    pixels = heights(lips) / DEPTHS
    dark = (part * (1 - likeness)).cumsum(dim=0) * pixels
    alone = (part * likeness * (dark > CLEAR)).sum(dim=0) * pixels
    found = (alone > SCRAP).to(likeness)[None]
    return F.max_pool1d(found[None], AVERAGED, 1, AVERAGED // 2)[0]


def half_width(row: Row, lips: UprightLips) -> float:
    """Return half the width of a row, in inter-ocular distances."""
    width = (lips.corners[:, 1] - lips.corners[:, 0]) / lips.interocular
    return float(row.seen.mean() * width) / 2


def middle_height(part: Tensor, lips: UprightLips) -> float:
    """Return the mean height of a part `[DEPTHS, COLUMNS]` in the middle of the mouth, px."""
    return float((part.float().mean(dim=0) * heights(lips))[MIDDLE].mean())


def heights(lips: UprightLips) -> Tensor:
    """Return the height of a single portrait's opening at each column, `[COLUMNS]` px."""
    upper, lower = lips.edges(places_across(lips))
    return (lower - upper)[0].clamp_min(0)


def places_across(lips: UprightLips) -> Tensor:
    """Return the places `[B, COLUMNS]` px of the columns."""
    shares = (torch.arange(COLUMNS, device=lips.corners.device) + 0.5) / COLUMNS
    return torch.lerp(lips.corners[:, :1], lips.corners[:, 1:], shares)
