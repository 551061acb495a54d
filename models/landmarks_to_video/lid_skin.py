"""The skin of a closing lid and the dark line at its edge, read from the portrait's own lids."""

from dataclasses import dataclass

import torch
from torch import Tensor

from models.landmarks_to_video.edges import to_upright
from models.landmarks_to_video.eyeball import UPPER, Eye
from models.landmarks_to_video.face_regions import face_frame
from models.landmarks_to_video.painted_window import Window
from models.landmarks_to_video.warping import sample

LINE, DARK = (0.5, 1.1), (0.25, 0.6)
"""Half width of the dark line at a closing lid's edge, px, and how much darker than its skin it is:
where the portrait's upper lid has no dark edge, and where it has a strong one.
"""
EDGE, STRONG = (-0.5, 0.5, 1.5, 2.5), 0.45
"""Px above the upper lid's edge where its darkness is read, and the mean that counts as strong."""
BARE, LASHES = 2.0, 6.0
"""Px above the portrait's upper lid up to which skin replaces lashes, fully and at all."""
TAPER = 8.0
"""Px from an eye's corners within which the lid above it is drawn less high."""
BULGE = 0.16
"""How much lighter the middle of a lid is than its edges."""
BESIDE = 2.0
"""Px beside an eye's corners up to which a lid covers it."""
MARGIN = 0.7
"""Px of the lower lid's edge, which shines, that a closed lid covers."""
CREASE, CREASE_AT, CREASE_WIDTH = 0.08, 3.5, 2.0
"""How much darker the fold is that is drawn, and its place above the portrait's upper lid, px."""
PASSING = -3.0, 6.0
"""Px above the portrait's upper lid from which on, and up to which, its colour passes over."""
FOLD, FOLD_END = 0.86, 9.0
"""Brightness of the portrait's own fold relative to that skin, at least, and px up to which."""
ON_LID, ABOVE_LID = (3.0, 4.5, 6.0), (7.5, 9.0)
"""Px above the upper lid's edge where the colour of its skin is read, and that of what is above."""
LID_COLUMNS = 12
"""Places along a lid at which that is read; through them goes a parabola."""
UNDER, TONE, LIT = 8.0, 0.88, 0.6
"""Px below the lower lid's edge where the skin under the eye is read; the brightness relative to it
of a lid that is hidden; and the share of that in every lid.
"""
SHADOW, SKIN, GLEAM = 0.25, (0.5, 1.1), 1.4
"""Brightness above an eye relative to that below it: of lashes, a shadow or the rim of glasses; of
skin, at least and at most; of what gleams.
"""
NOTHING = 20.0
"""Exponent at which what fades away has gone; beyond, exponentials become slow to compute with."""


@dataclass(frozen=True)
class LidSkin:
    """What a lid looks like in each column of an eye.

    colour, higher: `[B, 3, M]` its skin's colour, and that of the skin above it.
    edge: `[B, M]` in 0-1, how strong the dark line of its lashes is.
    """

    colour: Tensor
    higher: Tensor
    edge: Tensor


def draw_lid(
    warped: Tensor, skin: LidSkin, resting: Eye, opening: Eye, scale: int
) -> tuple[Tensor, Tensor]:
    """Return a closing lid `[B, 3, M]`, and where it is, `[B, M]` in 0-1.

    Args:
        warped: `[B, 3, M]` the portrait whose upper lids are held up.
        skin: what the lid looks like.
        resting: the eye in `warped`.
        opening: the wanted eye.
        scale: pixels of the image for each of the crop.
    """
    y = opening.place[..., 1]
    above = resting.upper - y
    closed = 1 - ((opening.lower - opening.upper) / 2).clamp(0, 1)
    lower = opening.lower + MARGIN * closed
    below = (scale * (y - lower) + 0.5).clamp(0, 1)
    bare = _bare(warped, skin, above, _bulge(resting, opening))
    lid = torch.lerp(bare, warped, below[:, None])
    beside = (opening.upper - y).clamp_min(0) + (y - lower).clamp_min(0)
    line = torch.exp(-(beside / _between(LINE, skin.edge)).square().clamp_max(NOTHING))
    line = line * (1 - (1 - closed) * below) * (opening.within / 2).clamp(0, 1)
    dark = skin.colour * (1 - _between(DARK, skin.edge))[:, None]
    lid = lid - (lid - dark).clamp_min(0) * line[:, None]
    beyond = 1 - (1 - _falling(-resting.within, -TAPER, 0.0)) * (above / 2).clamp(0, 1)
    where = beyond * _falling(above, LASHES, LASHES + 2) * _falling(y - opening.lower, 1.0, 3.0)
    return lid, where * ((resting.within + BESIDE) / 2).clamp(0, 1)


def _bulge(resting: Eye, opening: Eye) -> Tensor:
    """Return `[B, M]`: the light on a lid over a round eyeball, most in its middle, about 1."""
    fallen = opening.upper - resting.upper + BARE
    height = ((opening.upper - opening.place[..., 1]) / fallen.clamp_min(1)).clamp(0, 1)
    middle = 4 * height * (1 - height) * (opening.within / TAPER).clamp(0, 1)
    return 1 + BULGE * (middle - 0.65)


def _bare(warped: Tensor, skin: LidSkin, above: Tensor, light: Tensor) -> Tensor:
    """Return `[B, 3, M]`: `warped` with skin on the eye and in place of the lashes above it."""
    fold = (above - CREASE_AT) / CREASE_WIDTH
    crease = CREASE * torch.exp(-fold.square().clamp_max(NOTHING))
    smooth = torch.lerp(skin.higher, skin.colour, _falling(above, *PASSING)[:, None])
    bare = torch.lerp(
        warped, smooth * ((1 - crease) * light)[:, None], _falling(above, BARE, LASHES)[:, None]
    )
    return bare.maximum(FOLD * skin.higher * _falling(above, LASHES, FOLD_END)[:, None])


def _between(ends: tuple[float, float], share: Tensor) -> Tensor:
    """Return what lies a share of the way from one end to the other."""
    return ends[0] + (ends[1] - ends[0]) * share


def _falling(height: Tensor, full: float, none: float) -> Tensor:
    """Return 1 up to `full`, 0 from `none` on, and a smooth fall in between."""
    share = ((none - height) / (none - full)).clamp(0, 1)
    return share.square() * (3 - 2 * share)


def read_lid(window: Window, eye: int, opening: Eye) -> LidSkin:
    """Read from the portrait what a lid looks like in the columns of an eye.

    Along the lid that follows parabolas, so that no lash and no rim of glasses is drawn down. What
    cannot be skin counts little.
    """
    along = torch.linspace(-0.85, 0.85, LID_COLUMNS, device=window.source.device)
    read = _read_around(window, eye, along)
    edge, above = read[:, :, : len(EDGE)], read[:, :, len(EDGE) : -1]
    under = read[:, :, -1:].mean(dim=3, keepdim=True)
    hidden = _hidden(above, under)
    above = torch.lerp(above, TONE * under, LIT + (1 - LIT) * hidden)
    light = above.mean(dim=1) / under.mean(dim=1).clamp_min(0.02)
    weight = (1 - 0.9 * hidden[:, 0]) * light.clamp(0.2, 1.1) ** 3
    start, stop = opening.corners
    where = ((opening.place[..., 0] - start) / (stop - start).clamp_min(1) * 2 - 1).clamp(-0.9, 0.9)
    split = len(ON_LID)
    on_lid = above[:, :, :split]
    colour = _parabola(along, on_lid, weight[:, :split], where)
    higher = _parabola(along, above[:, :, split:], weight[:, split:], where)
    brightness = on_lid.mean(dim=(1, 2, 3), keepdim=True).clamp_min(0.02)
    dark = (1 - edge.mean(dim=1, keepdim=True) / brightness).clamp(0, 1).mean(dim=2, keepdim=True)
    strength = (dark / STRONG).clamp(0, 1)
    line = _parabola(along, strength, torch.ones_like(strength[:, 0]), where)
    return LidSkin(colour, higher, line[:, 0])


def _read_around(window: Window, eye: int, along: Tensor) -> Tensor:
    """Return the portrait's colours `[B, 3, R, K]` at rows above an eye and, last, below it.

    The places `along` `[K]` are -1 and 1 at the eye's corners.
    """
    source = window.source
    corners = source[:, (UPPER[eye][0], UPPER[eye][-1])]
    middle = corners.mean(dim=1, keepdim=True)
    _, across = face_frame(source)
    down = torch.stack([-across[:, 1], across[:, 0]], dim=-1)[:, None, None]
    half = to_upright(corners - middle, across)[:, 1:, 0].clamp_min(1)
    x = along * half
    own = Eye.of(source, eye, torch.stack([x, torch.zeros_like(x)], dim=-1), middle)
    heights = [own.upper - height for height in (*EDGE, *ON_LID, *ABOVE_LID)]
    y = torch.stack([*heights, own.lower + UNDER], dim=1)[..., None]
    places = middle[:, None] + x[:, None, :, None] * across[:, None, None] + y * down
    return sample(window.image, places - window.shift[:, None, None].to(places), window.scale)


def _parabola(along: Tensor, values: Tensor, weight: Tensor, where: Tensor) -> Tensor:
    """Return `[B, C, M]`: at `where` `[B, M]` the parabola through values at `along` `[K]`.

    Values `[B, C, R, K]` count by their weights `[B, R, K]`.
    """
    powers = (along[:, None] ** torch.arange(3, device=along.device)).repeat(values.shape[2], 1)
    weighted = powers * weight.flatten(1)[..., None]
    with torch.autocast(along.device.type, enabled=False):
        system = powers.T @ weighted + torch.diag(powers.new_tensor([1e-3, 1.0, 1.0]))
        wanted = weighted.transpose(1, 2) @ values.flatten(2).transpose(1, 2)
        factors = torch.linalg.solve(system, wanted)[..., None]
    where = where[:, None]
    colour = factors[:, 0] + where * (factors[:, 1] + where * factors[:, 2])
    clamped: Tensor = colour.clamp(0, 1)
    return clamped


def _hidden(above: Tensor, below: Tensor) -> Tensor:
    """Return `[B, 1, R, K]` in 0-1: how far the colour above an eye cannot be its lid's skin."""
    light, beside = (colour.mean(dim=1, keepdim=True) for colour in (above, below))
    ratio = light / beside.clamp_min(0.02)
    dark = (SKIN[0] - ratio) / (SKIN[0] - SHADOW)
    bright = (ratio - SKIN[1]) / (GLEAM - SKIN[1])
    return torch.maximum(dark, bright).clamp(0, 1)
