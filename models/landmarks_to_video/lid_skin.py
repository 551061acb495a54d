"""The skin of a closing lid and the lashes at its edge, read from the portrait around its eyes."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from models.landmarks_to_video.edges import to_upright
from models.landmarks_to_video.eyeball import UPPER, Eye
from models.landmarks_to_video.face_regions import EYES, face_frame
from models.landmarks_to_video.layers import grown, without_strands
from models.landmarks_to_video.painted_window import Window
from models.landmarks_to_video.warping import sample

EDGE = (-0.5, 0.5, 1.5, 2.5)
"""Px above the upper lid's edge where its darkness is read."""
LINE = 0.38, 0.9, 1.2
"""How dark the lashes at a closing lid's edge are, as a logarithm: where the portrait's edge is as
light as skin; how much that grows with the darkness of the portrait's edge; and at most.
"""
HIGH, WIDE, HUE = 0.4, (1.6, 1.9), (0.9, 1.06, 1.04)
"""Px above the edge where they are darkest; half width of their line above and below that, px; and
how much more or less of red, green and blue they take away.
"""
TURNED, TURNED_WIDE = 0.12, 5.0
"""How much darker a lid is at its edge, where it turns away from the light, and over how many px.
"""
BULGE, BULGE_AT, BULGE_WIDE = 0.08, 2.0, 5.0
"""How much lighter a lid is where it bulges most; the height of that above the portrait's upper
lid, and its half width, px.
"""
CORNERS = 0.2
"""How much darker a lid is, and how much fainter its lashes are, at the eye's corners."""
COVERED, REACH, BROW = 5.0, (6.0, 14.0), 0.8
"""Px above the portrait's upper lid up to which a closing one covers it fully, and at all, at least
and at most; and the share of the way up to the brow at which that ends.
"""
TAPER, CORNER_REACH = 8.0, 8.0
"""Px from an eye's corners within which that end passes to what it is at a corner, px."""
NO_SKIN, HIGH_ABOVE = (0.7, 1.25, 0.15), (6.0, 8.0)
"""Brightness relative to skin below and above which something is not skin, and the range over
which that becomes certain; px above the portrait's upper lid between which such things begin to be
kept.
"""
STRAND = 2
"""Half the width, px, of lashes that stick together."""
BESIDE, ENDS = 9.0, (-2.0, 4.0)
"""Px beside an eye's corners up to which a lid covers it; and between which its lashes end."""
MARGIN = 1.2
"""Px of the lower lid's edge, which shines, that a closed lid covers."""
LOWEST = 3.0, 5.0
"""Px below the lower lid's edge up to which lashes are seen, fully and at all."""
ON_LID, ABOVE_LID = (3.0, 4.5, 6.0), (0.55, 0.7)
"""Px above the upper lid's edge where the colour of its skin is read; and shares of what it
covers above it where the colour of what is higher is read.
"""
LID_COLUMNS = 12
"""Places along a lid at which that is read; through them goes a parabola."""
UNDER, TONE, LIT = 8.0, 0.88, 0.35
"""Px below the lower lid's edge where the skin under the eye is read; the brightness relative to it
of a lid that is hidden; and its share in the colour of every closed lid, which no fold shades.
"""
CHEEK, GRAIN, COARSE = 22.0, 7, 0.15
"""Px below an eye where a lid's grain is read; pixels over which the light there is averaged; and
the relative difference from that average from which on a pixel does not count as grain.
"""
BROWS = slice(18, 21), slice(23, 26)
"""Landmarks of the brows' middles, the viewer's left one first."""
SHADOW, SKIN, GLEAM = 0.25, (0.5, 1.1), 1.4
"""Brightness above an eye relative to that below it: of lashes, a shadow or the rim of glasses; of
skin, at least and at most; of what gleams.
"""
NOTHING = 20.0
"""Exponent at which what fades away has gone; beyond, exponentials become slow to compute with."""


@dataclass(frozen=True)
class LidSkin:
    """What a closing lid looks like.

    colour, higher: `[B, 3, M]` its skin's colour in each column of an eye, and that of the skin
    above it.
    line: `[B, 1]` how dark its lashes are, as a logarithm.
    grain: `[B, M]` how much lighter than its surroundings each pixel is, about 1.
    reach: `[B, 1]` px above the portrait's upper lid up to which a closing one covers its fold.
    """

    colour: Tensor
    higher: Tensor
    line: Tensor
    grain: Tensor
    reach: Tensor


def draw_lid(
    warped: Tensor, skin: LidSkin, resting: Eye, opening: Eye, scale: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Return a closing lid `[B, 3, M]`, where it is, `[B, M]`, and the light that its lashes leave.

    Its skin unrolls from the fold above, which it smooths; its lashes come down with its edge. How
    dark they are, and how light the skin is from there to the fold, is as in film.

    Args:
        warped: `[B, 3, M]` the portrait whose upper lids are held up.
        skin: what the lid looks like.
        resting: the eye in `warped`.
        opening: the wanted eye.
        scale: pixels of the image for each of the crop.
    """
    y = opening.place[..., 1]
    closed = 1 - ((opening.lower - opening.upper) / 2).clamp(0, 1)
    lower = opening.lower + MARGIN * closed
    soft = (ENDS[1] - opening.within).clamp_min(0) + 1 / scale
    below = ((y - lower) / soft + 0.5).clamp(0, 1)
    beside = _falling(-resting.within, 0.0, BESIDE)
    above = resting.upper - y
    reach = torch.lerp(torch.full_like(skin.reach, CORNER_REACH), skin.reach, _tapered(resting))
    smooth = torch.lerp(skin.higher, skin.colour, _falling(above, 0.0, reach)[:, None])
    lit = smooth * (skin.grain * _bulge(resting, above))[:, None]
    lid = torch.lerp(lit, warped, below[:, None])
    lashes = _lashes(skin, opening)
    lid = lid * (1 - (1 - lashes) * (1 - (1 - closed) * below)[:, None])
    where = _falling(above, COVERED, reach) * (1 - _foreign(warped, smooth, above, scale))
    where = where * _falling(y - opening.lower, *LOWEST)
    return lid, where * beside, lashes


def _foreign(warped: Tensor, smooth: Tensor, above: Tensor, scale: int) -> Tensor:
    """Return `[B, M]` in 0-1: what is no skin high above an eye, as rims of glasses and brows.

    Lashes that reach so high are narrow, and join nothing wide.
    """
    ratio = warped.mean(dim=1) / smooth.mean(dim=1).clamp_min(0.02)
    other = torch.maximum(NO_SKIN[0] - ratio, ratio - NO_SKIN[1]) / NO_SKIN[2]
    high = other.clamp(0, 1) * (1 - _falling(above, *HIGH_ABOVE))
    high = high.reshape(len(high), 1, EYES.height * scale, -1)
    wide = grown(without_strands(high, STRAND * scale), 2 * STRAND * scale)
    return grown(torch.minimum(high, wide), 2 * scale).flatten(1)


def _tapered(eye: Eye) -> Tensor:
    """Return `[B, M]`: 0 at an eye's corners and beyond, 1 from `TAPER` px on."""
    return 1 - _falling(eye.within, 0.0, TAPER)


def _along(eye: Eye) -> Tensor:
    """Return `[B, M]`: where each pixel lies between an eye's corners, which are -1 and 1."""
    start, stop = eye.corners
    return (eye.place[..., 0] - start) / (stop - start).clamp_min(1) * 2 - 1


def _bell(distance: Tensor, width: Tensor | float) -> Tensor:
    """Return 1 at no distance, falling to nothing within about twice a width."""
    return torch.exp(-(distance / width).square().clamp_max(NOTHING))


def _bulge(resting: Eye, above: Tensor) -> Tensor:
    """Return `[B, M]`: the light on a lid over a round eyeball, about 1."""
    round_ = 1 - CORNERS * _along(resting).square().clamp_max(1)
    return round_ * (1 + BULGE * _bell(above - BULGE_AT, BULGE_WIDE))


def _lashes(skin: LidSkin, opening: Eye) -> Tensor:
    """Return `[B, 3, M]` in 0-1: the light that lashes leave."""
    height = opening.upper - HIGH - opening.place[..., 1]
    width = torch.where(height < 0, WIDE[1], WIDE[0])
    strength = skin.line * (1 - CORNERS * _along(opening).square().clamp_max(1))
    dark = strength * _bell(height, width) + TURNED * _bell(height, TURNED_WIDE)
    dark = dark * _falling(-opening.within, *ENDS)
    return torch.exp(-dark[:, None] * dark.new_tensor(HUE)[:, None])


def _falling(height: Tensor, full: Tensor | float, none: Tensor | float) -> Tensor:
    """Return 1 up to `full`, 0 from `none` on, and a smooth fall in between."""
    share = ((none - height) / (none - full)).clamp(0, 1)
    return share.square() * (3 - 2 * share)


def read_lid(window: Window, eye: int, cells: Tensor, opening: Eye, closing: Tensor) -> LidSkin:
    """Read from the portrait what a lid looks like in the columns of an eye.

    Along the lid that follows parabolas, so that no lash and no rim of glasses is drawn down. What
    cannot be skin counts little.

    Args:
        window: what is painted.
        eye: 0 or 1, the viewer's left eye first.
        cells: `[B, M, 2]` where each pixel lies in the frame, px of the crop.
        opening: the wanted eye.
        closing: `[B]` in 0-1, how far its lids are moved.
    """
    along = torch.linspace(-0.85, 0.85, LID_COLUMNS, device=window.source.device)
    reach = _reach(window.source, eye)
    read = _read_around(window, eye, along, reach)
    edge, above = read[:, :, : len(EDGE)], read[:, :, len(EDGE) : -1]
    under = read[:, :, -1:].mean(dim=3, keepdim=True)
    hidden = _hidden(above, under)
    above = torch.lerp(above, TONE * under, hidden)
    light = above.mean(dim=1) / under.mean(dim=1).clamp_min(0.02)
    weight = (1 - 0.9 * hidden[:, 0]) * light.clamp(0.2, 1.1) ** 3
    where = _along(opening).clamp(-0.9, 0.9)
    split = len(ON_LID)
    colour = _parabola(along, above[:, :, :split], weight[:, :split], where)
    higher = _parabola(along, above[:, :, split:], weight[:, split:], where)
    lightness = edge.mean(dim=1).clamp_min(0.02) / under.mean(dim=1).clamp_min(0.02)
    dark = -lightness.log().mean(dim=(1, 2)).clamp_max(0)[:, None]
    line = (LINE[0] + LINE[1] * dark).clamp_max(LINE[2])
    colour = torch.lerp(colour, under[:, :, 0], LIT * closing[:, None, None])
    return LidSkin(colour, higher, line, _grain(window, eye, cells), reach)


def _grain(window: Window, eye: int, cells: Tensor) -> Tensor:
    """Return the grain of `LidSkin`: that of the cheek below the eye."""
    corners = [UPPER[eye][0], UPPER[eye][-1]]
    (size, across), (wanted, turned) = face_frame(window.source), face_frame(window.target)
    centres = [
        face[:, corners].mean(dim=1, keepdim=True) for face in (window.source, window.target)
    ]
    x, y = (to_upright(cells - centres[1], turned) * (size / wanted)[:, None, None]).unbind(dim=-1)
    down = torch.stack([-across[:, 1], across[:, 0]], dim=-1)[:, None]
    places = centres[0] + x[..., None] * across[:, None] + (y + CHEEK)[..., None] * down
    places = places - window.shift[:, None]
    places = places.reshape(len(places), EYES.height * window.scale, -1, 2)
    light = sample(window.image, places, window.scale).mean(dim=1, keepdim=True).clamp_min(0.02)
    around = F.avg_pool2d(light, GRAIN, 1, GRAIN // 2, count_include_pad=False)
    grain = (light / around).flatten(1) - 1
    return 1 + grain * (1 - (grain / COARSE).square()).clamp_min(0)


def _reach(source: Tensor, eye: int) -> Tensor:
    """Return `[B, 1]` px above the upper lid up to which it is covered: not up to a brow."""
    lid, brow = source[:, UPPER[eye][1:3]].mean(dim=1), source[:, BROWS[eye]].mean(dim=1)
    free: Tensor = (lid - brow).norm(dim=-1, keepdim=True)
    return (BROW * free).clamp(*REACH)


def _read_around(window: Window, eye: int, along: Tensor, reach: Tensor) -> Tensor:
    """Return the portrait's colours `[B, 3, R, K]` at rows above an eye and, last, below it.

    The places `along` `[K]` are -1 and 1 at the eye's corners; `reach` is that of `LidSkin`.
    """
    source = window.source
    corners = source[:, (UPPER[eye][0], UPPER[eye][-1])]
    middle = corners.mean(dim=1, keepdim=True)
    _, across = face_frame(source)
    down = torch.stack([-across[:, 1], across[:, 0]], dim=-1)[:, None, None]
    half = to_upright(corners - middle, across)[:, 1:, 0].clamp_min(1)
    x = along * half
    own = Eye.of(source, eye, torch.stack([x, torch.zeros_like(x)], dim=-1), middle)
    heights = [own.upper - height for height in (*EDGE, *ON_LID)]
    heights += [own.upper - share * reach for share in ABOVE_LID]
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
