"""What an open portrait shows between its lips: rows of teeth, their colour, and where they part.

`models.landmarks_to_video.parting` moves what is read here.
"""

from dataclasses import dataclass, field, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from models.landmarks_to_video.dentition import (
    read_teeth,
    surely_enamel,
    tooth_area,
    tooth_likeness,
)
from models.landmarks_to_video.lip_lines import UprightLips
from models.landmarks_to_video.lip_shape import rise, smile
from models.landmarks_to_video.teeth_line import (
    AVERAGED,
    COLUMNS,
    DEPTHS,
    MIDDLE,
    cavity_above,
    teeth_line,
)
from models.landmarks_to_video.warping import sample

TOOTH_SHARE, LEAST_SHARE, WIDE = 0.25, 0.05, 5.0
"""Share of what the lips bare that must look like teeth; less is a mouth in the dark. In openings
higher than so many px, an upper row takes up less, at least the second.
"""
TALLEST = 0.25
"""Height, in inter-ocular distances, from which what is light below the upper lip is a tongue."""
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
DEEP = 4.0
"""Height, px, of what is no tooth below the line from which a mouth shows its own floor."""
FEW = 0.165
"""Half the width of a row, in inter-ocular distances: two or three front teeth. A narrower one
gives way to a whole borrowed row in every opening, because teeth that changed with the opening
would change within a word.
"""
SPECKS, SLIGHT = 0.04, 3.5
"""Share of a mouth without a row of teeth from which what looks like teeth are specks of them, as
the glint of one tooth; and the height, px, up to which an opening is so slight that they would
stand alone as it grows. All of it gives way to what is drawn, in every opening.
"""
DIM_UNTIL, CAVITY_LIGHT, SHADE_LIGHT = 5.25, 0.13, 0.62
"""Height, px, up to which all gives way as well where a mouth without a row of teeth is no dark
cavity: beside the skin, its darkest tenth is lighter than the second, and half of it darker than
the third. Its front teeth stand in the shade. They would flash up in slight openings, and be gone
in wider ones. What is lighter is part of the lips.
"""
ENDS, LAST_HUE = 6, 0.7
"""Columns at either end of a row over which its edge and its hue are read; how far the hue of these
last teeth counts, which shade and lips redden, and not that of all.
"""
DARK_BROAD, DARK_BESIDE = (0.25, 0.30), (0.12, 0.20)
"""From which half width on, and in full from which, a row is so broad that the dark beside it is
that of its corner; how much of that there is then; all in inter-ocular distances. Borrowed teeth in
a corner that a smile leaves dark would stand apart from its own.
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
BRIGHTEST = 0.7
"""How far the brightest teeth give the colour, and not the mean of all."""
OPEN = 2.0
"""Mean height of the opening, px, from which a portrait is open."""


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


@dataclass(frozen=True)
class OpenMouth:
    """What an open portrait shows between its lips.

    lips: those around it, of one portrait.
    line: `[1, COLUMNS]` where it parts, as a share of the way from the upper to the lower lip:
        below upper teeth, above lower ones where those alone are seen, 0 without any.
    upper, lower: the rows of teeth above and below it.
    enamel: `[1, 3]` the colour of its teeth, 0-1.
    tips: inter-ocular distances from the upper lip to the line, in the middle.
    half: half the width of the row of upper teeth, in inter-ocular distances.
    ends: `[1, 2, 2]` px of the crop, where the edge of its upper row ends on the left and on the
        right; None without one.
    last: `[1, 3]` the colour of the teeth there, as light as its brightest; None without a row.
    deep: whether it shows its tongue, or the dark, above lower teeth of its own.
    dark: `[1, COLUMNS]` in 0-1, how far its corners are dark beside its upper row.
    borrows_lower: whether drawn teeth stand beside its lower ones. Beside a row, and where it shows
        what lies behind, the next teeth are hidden by the lip.
    """

    lips: UprightLips
    line: Tensor
    upper: Row
    lower: Row
    enamel: Tensor
    tips: float = 0.0
    half: float = 0.0
    ends: Tensor | None = None
    last: Tensor | None = None
    deep: bool = False
    dark: Tensor = field(default_factory=lambda: torch.zeros(1, COLUMNS))
    borrows_lower: bool = True

    @property
    def gives_way(self) -> bool:
        """Whether all that it shows gives way to what is drawn, as in a closed portrait."""
        return not self.upper.shown and bool(self.lower.gone.amin() > 0)

    @property
    def borrows_upper(self) -> bool:
        """Whether a borrowed row stands in the place of its own upper teeth."""
        return bool(self.upper.gone.amin() > 0)


def read_open_mouth(image: Tensor, landmarks: Tensor, scale: int, skin: Tensor) -> OpenMouth | None:
    """Read the mouth of a portrait; None if it is closed.

    Args:
        image: `[1, 3, scale * 256, scale * 256]`, 0-1.
        landmarks: `[1, 79, 2]` px of a 256 px crop.
        scale: 1 or 2.
        skin: `[1, COMPLEXION]` around the mouth.
    """
    lips = UprightLips.of(landmarks)
    if float(lips.height) < OPEN:
        return None
    bared, colour = read_teeth(image, landmarks, landmarks.new_zeros(1, 2), scale)
    seen = float(bared[0, 0, 3].sum())
    between = _colours_between(image, lips, scale)
    likeness = tooth_likeness((between / colour[..., None, None])[:, None], colour, skin)[0]
    share = float(tooth_area(bared, colour, skin)) / max(seen, 1e-3)
    if share > LEAST_SHARE:
        enamel = surely_enamel(colour, skin)
        hang = enamel and not cavity_above(likeness, float(smile(landmarks)))
        mouth = _with_teeth(lips, between, likeness, colour, hang=hang)
        wide = float(lips.height) > WIDE and mouth.upper.shown and mouth.tips < TALLEST
        if share > TOOTH_SHARE or (wide and enamel):
            return mouth
    return _without_teeth(lips, between, likeness, colour, skin)


def _with_teeth(
    lips: UprightLips, between: Tensor, likeness: Tensor, colour: Tensor, *, hang: bool
) -> OpenMouth:
    """Return a mouth that shows teeth.

    Args:
        lips: around it.
        between: `[1, 3, DEPTHS, COLUMNS]` the colours between them, 0-1.
        likeness: `[DEPTHS, COLUMNS]`, 1 on what looks like teeth.
        colour: `[1, 3]` of what is brightest.
        hang: whether teeth that seem to be lower ones seen alone are upper ones.
    """
    line, upper, lower = _rows(between, likeness, lips)
    if hang and lower.shown and not upper.shown:
        hanging = _rows(between, likeness, lips, hanging=True)
        if _middle_height(_above(hanging[0]), lips) < TALLEST * float(lips.interocular):
            line, upper, lower = hanging
    above, half = _above(line), _half_width(upper, lips)
    low = _half_width(lower, lips)
    few = upper.shown and half < FEW
    if few:
        upper = replace(upper, gone=torch.ones_like(upper.gone))
    mean = ((between[0] * likeness).sum(dim=(1, 2)) + colour) / (likeness.sum() + 1)
    enamel = colour.pow(BRIGHTEST) * mean.pow(1 - BRIGHTEST)
    both = upper.shown and lower.shown
    deep = both and _middle_height(~above * (1 - likeness), lips) > DEEP
    mouth = OpenMouth(
        lips,
        line,
        upper,
        lower,
        enamel,
        tips=_middle_height(above, lips) / float(lips.interocular),
        half=half,
        deep=deep,
        borrows_lower=not (deep or low >= FEW),
    )
    return mouth if few or not upper.shown else _with_ends(mouth, between[0], likeness * above)


def _without_teeth(
    lips: UprightLips, between: Tensor, likeness: Tensor, colour: Tensor, skin: Tensor
) -> OpenMouth:
    """Return a mouth that shows no row of teeth; the arguments are those of `_with_teeth`, and
    `skin` `[1, COMPLEXION]`.
    """
    height, nowhere = float(lips.height), torch.zeros_like(likeness[:1])
    specks = height < SLIGHT and float(likeness.mean()) > SPECKS
    light = between.mean(dim=1)[..., MIDDLE] / skin[:, 0].exp()
    dark, middle = light.quantile(light.new_tensor([0.1, 0.5])).tolist()
    dim = height < DIM_UNTIL and dark > CAVITY_LIGHT and middle < SHADE_LIGHT
    gone = torch.full_like(nowhere, specks or dim)
    return OpenMouth(lips, nowhere, Row(nowhere, gone=nowhere), Row(nowhere, gone=gone), colour)


def _rows(
    between: Tensor, likeness: Tensor, lips: UprightLips, *, hanging: bool = False
) -> tuple[Tensor, Row, Row]:
    """Return the line `[1, COLUMNS]` along which a mouth with teeth parts, and the rows above and
    below it. If they are `hanging`, the brightest teeth are upper ones.
    """
    for bitten in (True, False):
        line, are_upper = teeth_line(
            between, likeness, _heights(lips), bitten=bitten, hanging=hanging
        )
        above = _above(line).to(likeness)
        upper = _row(above, likeness, lips, UPPER_BARED, found=are_upper)
        # A few upper teeth between rounded lips would give way to borrowed ones.
        if _half_width(upper, lips) >= FEW:
            break
    return line, upper, _row(1 - above, likeness, lips, LOWER_BARED, found=not are_upper)


def _above(line: Tensor) -> Tensor:
    """Return `[DEPTHS, COLUMNS]`: whether a place between the lips lies above the line."""
    return (torch.arange(DEPTHS).to(line) + 0.5)[:, None] < line * DEPTHS


def _with_ends(mouth: OpenMouth, between: Tensor, teeth: Tensor) -> OpenMouth:
    """Return a mouth with an upper row beside which borrowed teeth stand, but not in dark corners:
    they meet its edge, as light as its brightest and of the hue of its last ones.

    Args:
        mouth: without that.
        between: `[3, DEPTHS, COLUMNS]` the colours between its lips.
        teeth: `[DEPTHS, COLUMNS]`, 1 on its upper teeth.
    """
    sides, light = _at_the_ends(mouth.upper.seen), mouth.enamel.mean()
    last = (between * teeth * sides.amax(dim=0)).sum(dim=(1, 2)) + mouth.enamel
    last = (last / last.mean()).pow(LAST_HUE) * (mouth.enamel / light).pow(1 - LAST_HUE)
    ends = _ends(_tips(teeth, mouth.line), sides, mouth.lips)
    return replace(mouth, last=last * light, ends=ends, dark=_dark_corners(mouth))


def _dark_corners(mouth: OpenMouth) -> Tensor:
    """Return `[1, COLUMNS]` in 0-1: how far the corners beside a broad upper row are dark."""
    there = torch.nonzero(mouth.upper.seen[0] > 0.5)[:, 0]
    free = torch.stack([there[0], COLUMNS - 1 - there[-1]]) / COLUMNS
    width = (mouth.lips.corners[:, 1] - mouth.lips.corners[:, 0]) / mouth.lips.interocular
    broad = rise(torch.tensor(mouth.half), *DARK_BROAD)
    sides = broad.to(width) * rise(free * width, *DARK_BESIDE)
    return sides.repeat_interleave(COLUMNS // 2)[None]


def _half_width(row: Row, lips: UprightLips) -> float:
    """Return half the width of a row, in inter-ocular distances."""
    width = (lips.corners[:, 1] - lips.corners[:, 0]) / lips.interocular
    return float(row.seen.mean() * width) / 2


def _middle_height(part: Tensor, lips: UprightLips) -> float:
    """Return the mean height of a part `[DEPTHS, COLUMNS]` in the middle of the mouth, px."""
    return float((part.float().mean(dim=0) * _heights(lips))[MIDDLE].mean())


def _at_the_ends(seen: Tensor) -> Tensor:
    """Return `[2, COLUMNS]`: 1 in the last columns of a row `[1, COLUMNS]`, left and right."""
    there = torch.nonzero(seen[0] > 0.5)[:, 0]
    columns = torch.arange(COLUMNS, device=seen.device)
    left = (columns >= there[0]) & (columns < there[0] + ENDS)
    right = (columns <= there[-1]) & (columns > there[-1] - ENDS)
    return torch.stack([left, right]).to(seen)


def _tips(teeth: Tensor, line: Tensor) -> Tensor:
    """Return `[1, COLUMNS]`, as the `line` is given: how far down teeth `[DEPTHS, COLUMNS]` reach,
    each with its neighbours; the line itself where there are none.
    """
    rows = torch.arange(1, DEPTHS + 1, device=teeth.device)[:, None]
    lowest = (teeth * rows).amax(dim=0)[None] / DEPTHS
    lowest = F.max_pool1d(lowest, AVERAGED, 1, AVERAGED // 2)
    return torch.where(lowest > 0, lowest.minimum(line), line)


def _ends(tips: Tensor, sides: Tensor, lips: UprightLips) -> Tensor:
    """Return `[1, 2, 2]` px of the crop: where the `tips` `[1, COLUMNS]` lie in the middle of the
    columns of both `sides` `[2, COLUMNS]`.
    """
    upper, _ = lips.edges(_across(lips))
    edge = upper + tips * _heights(lips)
    x, y = ((part * sides).sum(dim=1) / sides.sum(dim=1) for part in (_across(lips), edge))
    return lips.to_crop(x[None], y[None])


def _heights(lips: UprightLips) -> Tensor:
    """Return the height of a single portrait's opening at each column, `[COLUMNS]` px."""
    upper, lower = lips.edges(_across(lips))
    return (lower - upper)[0].clamp_min(0)


def _across(lips: UprightLips) -> Tensor:
    """Return the places `[B, COLUMNS]` px of the columns."""
    shares = (torch.arange(COLUMNS, device=lips.corners.device) + 0.5) / COLUMNS
    return torch.lerp(lips.corners[:, :1], lips.corners[:, 1:], shares)


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
        return Row(nowhere, gone=scraps, soft=_until(_middle_height(part, lips)))
    like = (columns[0] > OF_TEETH * columns[1]).to(likeness)
    tall = columns[0] * _heights(lips)
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
    pixels = _heights(lips) / DEPTHS
    dark = (part * (1 - likeness)).cumsum(dim=0) * pixels
    alone = (part * likeness * (dark > CLEAR)).sum(dim=0) * pixels
    found = (alone > SCRAP).to(likeness)[None]
    return F.max_pool1d(found[None], AVERAGED, 1, AVERAGED // 2)[0]


def _colours_between(image: Tensor, lips: UprightLips, scale: int) -> Tensor:
    """Return the colours `[1, 3, DEPTHS, COLUMNS]` between the lips, 0-1."""
    down = (torch.arange(DEPTHS, device=image.device) + 0.5) / DEPTHS
    x = _across(lips)
    upper, lower = lips.edges(x)
    y = torch.lerp(upper[:, None], lower[:, None], down[:, None])
    places = lips.to_crop(x[:, None].expand_as(y).flatten(1), y.flatten(1))
    return sample(image, places.reshape(1, DEPTHS, COLUMNS, 2), scale)
