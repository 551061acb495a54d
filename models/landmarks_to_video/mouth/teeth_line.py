"""The line along which an open portrait's mouth parts: below upper teeth, or above lower ones."""

import torch
from torch import Tensor
from torch.nn import functional as F

COLUMNS, DEPTHS = 64, 48
"""Places from corner to corner and from lip to lip at which a portrait is read."""
MIDDLE = slice(COLUMNS // 4, 3 * COLUMNS // 4)
AVERAGED, FINE = 5, 3
"""Columns over which the light is averaged before the darkest line and a bite are looked for."""
DARK = 0.6
"""Light beside that of the brightest teeth below which the inside of a mouth is dark."""
CAVITY_ABOVE = 0.25
"""Share of the opening that must be dark above the brightest teeth; else those are upper teeth."""
GAP, GAP_SMILING, SMILING, TOOTH_HIGH = 0.25, 0.42, 0.3, 0.15
"""Share of the opening that lies above lower teeth seen alone, at rest and from a smile of so much
on; least height, as such a share, of the teeth above which it is looked for. In 30 pictures and 28
filmed frames that seemed to show lower teeth alone, it was .27 to .61 above real ones, and .05 to
.24 above upper ones below a lip in the shade; in smiles, a beard or gums take up to .34 above them.
"""
TIPS, TIPS_UNTIL = (0.1, 0.25), 0.4
"""Shares of a row of the opening that look like teeth up to which it is a dark, and from which on
they are teeth; share of the opening down to which a dark lies below the tips of upper teeth.
"""
HANG = 0.75
"""Share of the opening in which upper teeth are looked for: a lower lip in the sun looks like them.
"""
STEEPEST, BEYOND = 1, 2.0
"""Rows by which the line climbs or falls from column to column; light where it must not go."""
BESIDE = 2.5
"""Pixels above and below a bite within which the teeth that it is darker than are looked for."""
BITE, BELOW_BITE = 0.07, 0.55
"""How much darker a bite is than the teeth above and below it, beside the brightest; and the share
of what lies below it that must look like teeth. On 301 photographs with teeth, gums and the shade
between crowns reach .045.
"""
LOWER, UPPER, LIP_SHADE = 1.5, 2.0, 0.7
"""Least heights of the rows below and above a bite, px; px above the lip that are not looked at."""
FILLED = 1.2
"""Pixels by which the darkest path lies below a bite if teeth fill the opening: along the lip."""
EVENED = 7
"""Columns over which the line is evened, twice: in an even dark, the darkest path is a jagged one,
and whatever passes behind the teeth above it gets that edge.
"""


def teeth_line(
    colours: Tensor,
    likeness: Tensor,
    heights: Tensor,
    *,
    bitten: bool = True,
    hanging: bool = False,
) -> tuple[Tensor, bool]:
    """Find where a mouth parts along its teeth.

    Args:
        colours: `[1, 3, DEPTHS, COLUMNS]` between the lips, 0-1.
        likeness: `[DEPTHS, COLUMNS]`, 1 on what looks like teeth.
        heights: `[COLUMNS]` of the opening, px.
        bitten: whether two rows of teeth may fill the opening.
        hanging: whether the brightest teeth are known to be upper ones.

    Returns:
        The line `[1, COLUMNS]`, as a share of the way from the upper to the lower lip, and whether
        the brightest teeth lie above it.
    """
    dark = colours.amin(dim=1)[0]
    light = _averaged(dark, AVERAGED)
    if hanging:
        like = (light * likeness)[: round(HANG * DEPTHS), MIDDLE].mean(dim=1)
        brightest, are_upper = int(like.argmax()), True
    else:
        brightest, are_upper = _brightest(light[:, MIDDLE].mean(dim=1))
    rows = torch.arange(DEPTHS, device=light.device)[:, None]
    beyond = rows >= brightest if are_upper else rows <= brightest
    path = _darkest_path(torch.where(beyond, light, BEYOND).cpu()).to(heights.device)
    if are_upper and bitten:
        bite = _bite(_averaged(dark, FINE), likeness, heights)
        if bite is not None and float(((path - bite) * heights)[MIDDLE].mean()) > FILLED * DEPTHS:
            path = bite
    return _even(path, heights), are_upper


def cavity_above(likeness: Tensor, smiling: float) -> bool:
    """Return whether a cavity lies above teeth, as above lower ones seen alone.

    Args:
        likeness: `[DEPTHS, COLUMNS]`, 1 on what looks like teeth.
        smiling: 0-1, how far the lips smile.
    """
    like = likeness[:, MIDDLE]
    if _below_tips(like.mean(dim=1)):
        return True
    like = like * (like.sum(dim=0) > TOOTH_HIGH * DEPTHS)
    found = like.any(dim=0)
    above = (like.cumsum(dim=0) == 0) * found
    least = GAP + (GAP_SMILING - GAP) * min(smiling / SMILING, 1)
    return float(above.sum()) > least * DEPTHS * float(found.sum())


def _below_tips(share: Tensor) -> bool:
    """Return whether a dark high up in the opening parts the tips of upper teeth from what lies
    below it, by the `share` `[DEPTHS]` of each row of the opening that looks like teeth.
    """
    teeth, dark = share > TIPS[1], share < TIPS[0]
    between = dark & (teeth.cumsum(dim=0) > 0) & (teeth.flip(0).cumsum(dim=0).flip(0) > 0)
    return bool(between[: round(TIPS_UNTIL * DEPTHS)].any())


def _brightest(profile: Tensor) -> tuple[int, bool]:
    """Return which row of the light `[DEPTHS]` is brightest, and whether upper teeth are there."""
    brightest = int(profile.argmax())
    is_dark = profile < DARK * profile.max()
    above, below = (
        float(part.sum()) / DEPTHS for part in (is_dark[:brightest], is_dark[brightest:])
    )
    return brightest, above < max(below, CAVITY_ABOVE)


def _averaged(light: Tensor, columns: int) -> Tensor:
    """Return `[DEPTHS, COLUMNS]`, averaged along a row."""
    return F.avg_pool1d(light, columns, 1, columns // 2, count_include_pad=False)


def _bite(light: Tensor, likeness: Tensor, heights: Tensor) -> Tensor | None:
    """Return the rows `[COLUMNS]` of the line between two rows of teeth that fill the opening, or
    None.

    The shade between them is not the darkest there is: the lips' is.
    """
    pixels = heights / DEPTHS
    reach = max(1, round(BESIDE / max(float(pixels[MIDDLE].mean()), 1e-2)))
    brightest = F.pad(light, (0, 0, reach, reach)).unfold(0, reach, 1).amax(dim=2)
    above, below = brightest[:DEPTHS], brightest[reach + 1 :]
    depth = (torch.minimum(above, below) - light).clamp_min(0) / light.max().clamp_min(1e-2)
    path = _darkest_path(-depth.cpu()).to(light.device)
    rows = torch.arange(DEPTHS, device=light.device)[:, None]
    under = (rows > path + 1) & ((DEPTHS - 1 - rows) * pixels > LIP_SHADE)
    like = (likeness * under)[:, MIDDLE].sum() / under[:, MIDDLE].sum().clamp_min(1)
    lower, upper = (float((part * pixels)[MIDDLE].mean()) for part in (DEPTHS - path, path))
    if upper < UPPER or lower < LOWER or float(like) < BELOW_BITE:
        return None
    return path if float(depth.gather(0, path[None])[0, MIDDLE].mean()) > BITE else None


def _even(path: Tensor, heights: Tensor) -> Tensor:
    """Return the line `[1, COLUMNS]` without the steps of a path `[COLUMNS]` in rows."""
    line = ((path + 0.5) / DEPTHS * heights)[None]
    reach = EVENED // 2
    for _ in range(2):
        left = 2 * line[:, :1] - line[:, 1 : reach + 1].flip(1)
        right = 2 * line[:, -1:] - line[:, -reach - 1 : -1].flip(1)
        line = F.avg_pool1d(torch.cat([left, line, right], dim=1), EVENED, 1)
    return (line / heights.clamp_min(1e-2)).clamp(0, 1)


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
