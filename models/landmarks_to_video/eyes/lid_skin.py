"""The skin of a closing lid and the lashes at its edge, read from the portrait around its eyes."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from models.landmarks_to_video.eyes.eyeball import EYE_CORNERS, UPPER, Eye, of_eyes
from models.landmarks_to_video.face_regions import EYES
from models.landmarks_to_video.layers import grown, halved, without_strands
from models.landmarks_to_video.painted_window import Window
from models.landmarks_to_video.ramps import bell, smooth_step
from models.landmarks_to_video.upright import downwards, face_frame, to_upright
from models.landmarks_to_video.warping import sample

EDGE = (-0.5, 0.5, 1.5, 2.5)
"""Px above the upper lid's edge where its darkness is read."""
LINE = 0.42, 0.9, 1.2
"""How dark the lashes at a closing lid's edge are, as a logarithm: where the portrait's edge is as
light as skin; how much that grows with the darkness of the portrait's edge; and at most.
"""
HIGH, WIDE, HUE = 0.4, (1.6, 2.0), (0.89, 1.01, 1.1)
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
SIDES = 0.12
"""How much darker a lid is at the eye's corners, where it turns away from the light."""
CORNERS = 0.35
"""How much fainter its lashes are at the eye's corners."""
COVERED, REACH, BROW = 0.65, (6.0, 14.0), 0.8
"""The share of its reach up to which a closing lid covers the portrait fully, so that no crease of
the open one is left; that reach, px above the portrait's upper lid, at least and at most; and the
share of the way up to the brow at which it ends.
"""
LEAST_ROOM = 0.3
"""Share of its distance from the upper lid that a brow keeps at least: a frown lowers brows."""
TAPER, CORNER_REACH = 10.0, 12.0
"""Px from an eye's corners within which that end passes to what it is at a corner, px."""
NO_SKIN, HIGH_ABOVE = (0.7, 1.25, 0.15), (6.0, 8.0)
"""Brightness relative to skin below and above which something is not skin, and the range over
which that becomes certain; px above the portrait's upper lid between which such things begin to be
kept, at least.
"""
NO_LENS, RIM_ABOVE, BESIDE_RIM = (0.88, 1.12, 0.1), (1.5, 3.5), 2.0
"""The same for what lies on the frame of glasses, where skin has less contrast than a rim; and px
beside its lines at which that ends.
"""
WIDE_OPEN = 0.33, 0.37
"""Openings, relative to the width, from which an eye is wide open, and fully so."""
STRAND = 2
"""Half the width, px, of lashes that stick together."""
BESIDE, ENDS = 9.0, (-2.0, 4.0)
"""Px beside an eye's corners up to which a lid covers it; and between which its lashes end."""
MARGIN = 1.2
"""Px of the lower lid's edge, which shines, that a closed lid covers."""
LOWEST = 3.0, 5.0
"""Px below the lower lid's edge up to which lashes are seen, fully and at all."""
LID_COLUMNS = 12
"""Places along a lid at which its edge and the skin under the eye are read."""
UNDER = 8.0
"""Px below the lower lid's edge where the skin under the eye is read."""
OUTSIDE = 1.5, 3.5
"""Px outside of the open eye from which on there may be skin, and from which on only skin."""
SKIN, FAINT, GLEAM = (0.1, 1.1), 0.05, (1.2, 1.4)
"""Brightness relative to that under the eye between which skin counts more the lighter it is; how
little counts what gleams; and the brightness between which something begins to gleam.
"""
CELL, AROUND, FAR = 2, 5, 0.05
"""Px of the cells in which skin is averaged; cells over which that is done, twice; and how much
all of the skin counts beside these.
"""
CHEEK, GRAIN, COARSE = 22.0, 7, 0.15
"""Px below an eye where a lid's grain is read; pixels over which the light there is averaged; and
the relative difference from that average from which on a pixel does not count as grain.
"""
BROWS = slice(18, 21), slice(23, 26)
"""Landmarks of the brows' middles, the viewer's left one first."""


@dataclass(frozen=True)
class LidSkin:
    """What a closing lid looks like.

    under: `[E, 3, 1]` the mean colour of the skin under the eye.
    line: `[E, 1]` how dark its lashes are, as a logarithm.
    grain: `[E, M]` how much lighter than its surroundings each pixel is, about 1.
    reach: `[E, 1]` px above the portrait's upper lid up to which a closing one covers its fold.
    room: `[E, 1]` as `brow_room` has it.
    """

    under: Tensor
    line: Tensor
    grain: Tensor
    reach: Tensor
    room: Tensor


def draw_lid(
    warped: Tensor,
    skin: LidSkin,
    resting: Eye,
    opening: Eye,
    scale: int,
    frame: Tensor | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return a closing lid `[E, 3, M]`, where it is, `[E, M]`, and the light that its lashes leave.

    Its skin is that around the eye, so that it has no outline, and covers the crease above, which
    unrolls; its lashes come down with its edge. How dark they are, and how light falls on a lid, is
    as in film.

    Args:
        warped: `[E, 3, M]` the portrait whose upper lids are held up.
        skin: what the lid looks like.
        resting: the eye in `warped`.
        opening: the wanted eye.
        scale: pixels of the image for each of the crop.
        frame: `[E, M]` px to the frame of glasses, which stays in front, or None.
    """
    y = opening.place[..., 1]
    closed = 1 - ((opening.lower - opening.upper) / 2).clamp(0, 1)
    lower = opening.lower + MARGIN * closed
    soft = (ENDS[1] - opening.within).clamp_min(0) + 1 / scale
    below = ((y - lower) / soft + 0.5).clamp(0, 1)
    beside = smooth_step(-resting.within, BESIDE, 0.0)
    above = (resting.upper - y) / skin.room
    reach = torch.lerp(torch.full_like(skin.reach, CORNER_REACH), skin.reach, _tapered(resting))
    smooth = _skin_around(warped, skin.under, resting, scale)
    lit = smooth * (skin.grain * _bulge(resting, above, reach))[:, None]
    lid = torch.lerp(lit, warped, below[:, None])
    lashes = _lashes(skin, opening)
    lid = lid * (1 - (1 - lashes) * (1 - (1 - closed) * below)[:, None])
    higher = (COVERED * reach - HIGH_ABOVE[0]).clamp_min(0) * _wide_open(resting)
    other = _foreign(warped, smooth, above, higher, scale, frame)
    where = smooth_step(above, reach, COVERED * reach) * (1 - other)
    where = where * (1 - smooth_step(y - opening.lower, *LOWEST))
    return lid, where * beside, lashes


def _skin_around(warped: Tensor, under: Tensor, resting: Eye, scale: int) -> Tensor:
    """Return `[E, 3, M]`: the skin around an eye, averaged and carried on over the eye.

    What is dark, as lashes, creases and brows, counts little, and so does what gleams: a mean with
    weights (normalized convolution, Knutsson and Westin, CVPR 1993), of near and of farther skin.
    """
    height = EYES.height * scale
    skin = warped.reshape(*warped.shape[:2], height, -1)
    depth = -resting.depth().reshape(len(warped), 1, height, -1)
    for _ in range(CELL * scale // 2):
        skin, depth = halved(skin), halved(depth)
    light = skin.mean(dim=1, keepdim=True) / under.mean(dim=1).clamp_min(0.02)[:, None, None]
    weight = light.clamp(*SKIN).square() * (1 - smooth_step(light, *GLEAM)).clamp_min(FAINT)
    weight = weight * smooth_step(depth, *OUTSIDE) + 1e-4
    parts = torch.cat([skin * weight, weight], dim=1)
    total = FAR * parts.mean(dim=(2, 3), keepdim=True)
    for _ in range(2):
        parts = F.avg_pool2d(parts, AROUND, 1, AROUND // 2, count_include_pad=False)
    total = total + parts
    mean = total[:, :3] / total[:, 3:]
    return F.interpolate(mean, scale_factor=CELL * scale, mode="bilinear").flatten(2)


def _foreign(
    warped: Tensor,
    smooth: Tensor,
    above: Tensor,
    higher: Tensor,
    scale: int,
    frame: Tensor | None,
) -> Tensor:
    """Return `[E, M]` in 0-1: what is no skin high above an eye, as rims of glasses and brows.

    It begins `higher` above the lid than usual, `[E, M]` px. Lashes that reach so high are narrow,
    and join nothing wide. Where the frame of glasses is, less contrast tells a rim, and nearer to
    the eye.
    """
    ratio = warped.mean(dim=1) / smooth.mean(dim=1).clamp_min(0.02)
    high = _contrast(ratio, NO_SKIN) * smooth_step(above - higher, *HIGH_ABOVE)
    high = high.reshape(len(high), 1, EYES.height * scale, -1)
    wide = grown(without_strands(high, STRAND * scale), 2 * STRAND * scale)
    other = grown(torch.minimum(high, wide), 2 * scale).flatten(1)
    if frame is None:
        return other
    rim = _contrast(ratio, NO_LENS) * smooth_step(above, *RIM_ABOVE)
    rim = rim * smooth_step(frame, BESIDE_RIM, 0.0)
    rim = grown(rim.reshape(high.shape), scale).flatten(1)
    return torch.maximum(other, rim)


def _contrast(ratio: Tensor, limits: tuple[float, float, float]) -> Tensor:
    """Return in 0-1 how surely a brightness relative to skin is that of something else."""
    darkest, lightest, range_ = limits
    return (torch.maximum(darkest - ratio, ratio - lightest) / range_).clamp(0, 1)


def _wide_open(eye: Eye) -> Tensor:
    """Return `[E, 1]` in 0-1: how wide open an eye is. The crease above it lies as high as rims."""
    start, stop = eye.corners
    apart = (eye.lower - eye.upper).amax(dim=1, keepdim=True) / (stop - start).clamp_min(1)
    return smooth_step(apart, *WIDE_OPEN)


def _tapered(eye: Eye) -> Tensor:
    """Return `[E, M]`: 0 at an eye's corners and beyond, 1 from `TAPER` px on."""
    return smooth_step(eye.within, 0.0, TAPER)


def _along(eye: Eye) -> Tensor:
    """Return `[E, M]`: where each pixel lies between an eye's corners, which are -1 and 1."""
    start, stop = eye.corners
    return (eye.place[..., 0] - start) / (stop - start).clamp_min(1) * 2 - 1


def _bulge(resting: Eye, above: Tensor, reach: Tensor) -> Tensor:
    """Return `[E, M]`: the light on a lid over a round eyeball, about 1, and 1 around the lid."""
    aside = _along(resting).square().clamp_max(1)
    lid = smooth_step(-resting.within, BESIDE, 0.0) * smooth_step(above, reach, 0.0)
    middle = 1 + BULGE * (1 - aside) * bell(above - BULGE_AT, BULGE_WIDE)
    return middle * (1 - SIDES * aside * lid)


def _lashes(skin: LidSkin, opening: Eye) -> Tensor:
    """Return `[E, 3, M]` in 0-1: the light that lashes leave."""
    height = opening.upper - HIGH - opening.place[..., 1]
    width = torch.where(height < 0, WIDE[1], WIDE[0])
    strength = skin.line * (1 - CORNERS * _along(opening).square().clamp_max(1))
    dark = strength * bell(height, width) + TURNED * bell(height, TURNED_WIDE)
    dark = dark * (1 - smooth_step(-opening.within, *ENDS))
    return torch.exp(-dark[:, None] * dark.new_tensor(HUE)[:, None])


def read_lid(eyes: Window, cells: Tensor, held: Tensor) -> LidSkin:
    """Read from the portrait what lids look like.

    Args:
        eyes: windows of one eye each, left eyes before right.
        cells: `[E, M, 2]` where each pixel lies in the frame, px of the crop.
        held: `[E, 79, 2]` px, the wanted faces whose upper lids are held up.
    """
    read = _read_around(eyes)
    edge, under = read[:, :, :-1], read[:, :, -1].mean(dim=2, keepdim=True)
    beside = under.mean(dim=1).clamp_min(0.02)[..., None]
    dark = (beside / edge.mean(dim=1).clamp_min(0.02)).log().mean(dim=(1, 2)).clamp_min(0)
    line = (LINE[0] + LINE[1] * dark[:, None]).clamp_max(LINE[2])
    halves = zip(eyes.source.chunk(2), held.chunk(2), strict=True)
    free, room = zip(
        *((_free(own, eye), brow_room(own, up, eye)) for eye, (own, up) in enumerate(halves)),
        strict=True,
    )
    reach = (BROW * torch.cat(free)).clamp(*REACH)
    return LidSkin(under, line, _grain(eyes, cells), reach, torch.cat(room))


def _grain(eyes: Window, cells: Tensor) -> Tensor:
    """Return the grain of `LidSkin`: that of the cheek below the eye."""
    (size, across), (wanted, turned) = face_frame(eyes.source), face_frame(eyes.target)
    centres = [
        of_eyes(faces, EYE_CORNERS).mean(dim=1, keepdim=True)
        for faces in (eyes.source, eyes.target)
    ]
    x, y = (to_upright(cells - centres[1], turned) * (size / wanted)[:, None, None]).unbind(dim=-1)
    down = downwards(across)[:, None]
    places = centres[0] + x[..., None] * across[:, None] + (y + CHEEK)[..., None] * down
    places = places - eyes.shift[:, None]
    places = places.reshape(len(places), EYES.height * eyes.scale, -1, 2)
    light = sample(eyes.image, places, eyes.scale).mean(dim=1, keepdim=True).clamp_min(0.02)
    around = F.avg_pool2d(light, GRAIN, 1, GRAIN // 2, count_include_pad=False)
    grain = (light / around).flatten(1) - 1
    return 1 + grain * (1 - (grain / COARSE).square()).clamp_min(0)


def brow_room(source: Tensor, held: Tensor, eye: int) -> Tensor:
    """Return `[B, 1]`, at most 1: the distance of a brow from the lid, relative to the portrait's.

    Args:
        source: the portrait's landmarks, `[B, 79, 2]` px.
        held: the wanted ones, alike, whose upper lids are held up.
        eye: 0 or 1, the viewer's left eye first.
    """
    own, left = _free(source, eye), _free(held, eye)
    return (left / own.clamp_min(1.0)).clamp(LEAST_ROOM, 1.0)


def _free(face: Tensor, eye: int) -> Tensor:
    """Return `[B, 1]` px between the upper lid and the brow above it."""
    lid, brow = face[:, UPPER[eye][1:3]].mean(dim=1), face[:, BROWS[eye]].mean(dim=1)
    free: Tensor = (lid - brow).norm(dim=-1, keepdim=True)
    return free


def _read_around(eyes: Window) -> Tensor:
    """Return the portrait's colours `[E, 3, R, K]` at an upper lid's edge and, last, below the eye.

    They are read in `K` columns from corner to corner.
    """
    source = eyes.source
    corners = of_eyes(source, EYE_CORNERS)
    middle = corners.mean(dim=1, keepdim=True)
    _, across = face_frame(source)
    down = downwards(across)[:, None, None]
    half = to_upright(corners - middle, across)[:, 1:, 0].clamp_min(1)
    x = torch.linspace(-0.85, 0.85, LID_COLUMNS, device=half.device) * half
    own = Eye.of(source, torch.stack([x, torch.zeros_like(x)], dim=-1), middle)
    heights = [own.upper - height for height in EDGE]
    y = torch.stack([*heights, own.lower + UNDER], dim=1)[..., None]
    places = middle[:, None] + x[:, None, :, None] * across[:, None, None] + y * down
    return sample(eyes.image, places - eyes.shift[:, None, None].to(places), eyes.scale)
