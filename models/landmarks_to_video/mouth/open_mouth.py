"""What an open portrait shows between its lips: rows of teeth, their colour, and where they part.

`models.landmarks_to_video.mouth.parting` moves what is read here.
"""

from dataclasses import dataclass, field, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from models.landmarks_to_video.mouth.dentition import (
    read_teeth,
    surely_enamel,
    tooth_area,
    tooth_likeness,
)
from models.landmarks_to_video.mouth.lip_lines import UprightLips
from models.landmarks_to_video.mouth.lip_shape import smile
from models.landmarks_to_video.mouth.teeth_line import (
    AVERAGED,
    COLUMNS,
    DEPTHS,
    MIDDLE,
    cavity_above,
)
from models.landmarks_to_video.mouth.tooth_rows import (
    FEW,
    Row,
    above_line,
    half_width,
    heights,
    middle_height,
    places_across,
    read_rows,
)
from models.landmarks_to_video.ramps import rise
from models.landmarks_to_video.warping import sample

TOOTH_SHARE, LEAST_SHARE, WIDE = 0.25, 0.05, 5.0
"""Share of what the lips bare that must look like teeth; less is a mouth in the dark. In openings
higher than so many px, an upper row takes up less, at least the second.
"""
TALLEST = 0.25
"""Height, in inter-ocular distances, from which what is light below the upper lip is a tongue."""
DEEP = 4.0
"""Height, px, of what is no tooth below the line from which a mouth shows its own floor."""
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
BRIGHTEST = 0.7
"""How far the brightest teeth give the colour, and not the mean of all."""
OPEN = 2.0
"""Mean height of the opening, px, from which a portrait is open."""


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
    line, upper, lower = read_rows(between, likeness, lips)
    if hang and lower.shown and not upper.shown:
        hanging = read_rows(between, likeness, lips, hanging=True)
        if middle_height(above_line(hanging[0]), lips) < TALLEST * float(lips.interocular):
            line, upper, lower = hanging
    above, half = above_line(line), half_width(upper, lips)
    low = half_width(lower, lips)
    few = upper.shown and half < FEW
    if few:
        upper = replace(upper, gone=torch.ones_like(upper.gone))
    mean = ((between[0] * likeness).sum(dim=(1, 2)) + colour) / (likeness.sum() + 1)
    enamel = colour.pow(BRIGHTEST) * mean.pow(1 - BRIGHTEST)
    both = upper.shown and lower.shown
    deep = both and middle_height(~above * (1 - likeness), lips) > DEEP
    mouth = OpenMouth(
        lips,
        line,
        upper,
        lower,
        enamel,
        tips=middle_height(above, lips) / float(lips.interocular),
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
    upper, _ = lips.edges(places_across(lips))
    edge = upper + tips * heights(lips)
    x, y = ((part * sides).sum(dim=1) / sides.sum(dim=1) for part in (places_across(lips), edge))
    return lips.to_crop(x[None], y[None])


def _colours_between(image: Tensor, lips: UprightLips, scale: int) -> Tensor:
    """Return the colours `[1, 3, DEPTHS, COLUMNS]` between the lips, 0-1."""
    down = (torch.arange(DEPTHS, device=image.device) + 0.5) / DEPTHS
    x = places_across(lips)
    upper, lower = lips.edges(x)
    y = torch.lerp(upper[:, None], lower[:, None], down[:, None])
    places = lips.to_crop(x[:, None].expand_as(y).flatten(1), y.flatten(1))
    return sample(image, places.reshape(1, DEPTHS, COLUMNS, 2), scale)
