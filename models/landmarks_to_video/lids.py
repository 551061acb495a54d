"""Eyes that open and close: lids slide over an eyeball that does not deform.

The warp squeezes a closing eye into a slit and stretches a widening one. Here the eyeball keeps the
portrait's own pixels, and what closing lids cover becomes skin, with lashes where they meet.
"""

import torch
from torch import Tensor

from models.landmarks_to_video.edges import to_upright
from models.landmarks_to_video.eyeball import LOWER, UPPER, Eye, read_eyeball
from models.landmarks_to_video.face_regions import EYES, face_frame
from models.landmarks_to_video.painted_window import lay_over
from models.landmarks_to_video.warping import keep_slits, pixel_grid, sample

LASHES, LASH_WIDTH, LASH_LIGHT = 2.5, 0.9, 0.55
"""Px above the upper lid's edge where its bare skin begins; half width of the line where lids meet,
px, and its brightness relative to the skin.
"""
SHOWN = (2.0, 3.0)
"""Px between the lids of a portrait from which on its eyeball is shown, and fully shown."""
COVER = 1.0
"""Px around the warp's slit that a closing lid covers."""
NARROW, WIDE, FADE, FADE_WIDE = 0.75, 1.05, 0.25, 0.12
"""Openings, relative to the portrait's, from which lids are moved; how fast that fades in."""
AROUND, AROUND_WIDE = 2.5, 0.3
"""Px around an eye, and a widened one, within which the painter may paint on the skin."""
SHADE, SHADE_DEPTH = 0.6, 1.8
"""How much darker the eyeball is at the upper lid's edge, and px below it over which that fades."""
UNDER, TONE = 2.0, 0.75
"""Px below the lower lid's edge where the skin under the eye begins; a lid's brightness to it."""
SHADOW, SKIN, GLEAM = 0.4, (0.75, 1.3), 1.7
"""Brightness above an eye relative to that below it: of lashes, a shadow or the rim of glasses; of
skin, at least and at most; of what gleams.
"""
BETWEEN = (0.4, 0.6)
"""Shares of a window's width between which one eye's skin passes over into the other's."""
NOTHING = 20.0
"""Exponent at which what fades away has gone; beyond, exponentials become slow to compute with."""


def move_lids(
    colour: Tensor,
    mask: Tensor,
    warped: Tensor,
    image: Tensor,
    source: Tensor,
    target: Tensor,
    shift: Tensor,
    origin: Tensor,
    scale: int,
) -> tuple[Tensor, Tensor]:
    """Put eyeballs and lids into the painted eyes' windows in which a lid moves far enough.

    Args:
        colour: `[B, 3, h, w]` the painter's, 0-1.
        mask: `[B, 1, h, w]` 1 where the warp is shown.
        warped: `[B, 3, h, w]` the warped portrait.
        image: `[B, 3, H, W]` the portrait or a cut-out at `shift` `[B, 2]`.
        source: `[B, 79, 2]` the portrait's landmarks, px of the crop.
        target: `[B, 79, 2]` the wanted ones.
        shift: `[B, 2]` left and top of the cut-out, px.
        origin: `[B, 2]` left and top of the window, px.
        scale: pixels of the image for each of the crop.

    Returns:
        Colour and mask.
    """
    moving = [_moved(source, target, eye) for eye in (0, 1)]
    rows = torch.maximum(*moving).nonzero()[:, 0]
    if not len(rows):
        return colour, mask
    moved = _lids_moved(
        colour[rows],
        mask[rows],
        warped[rows],
        _those(image, rows),
        source[rows],
        target[rows],
        shift[rows],
        origin[rows],
        scale,
    )
    return colour.index_copy(0, rows, moved[0]), mask.index_copy(0, rows, moved[1])


def moved_share(source: Tensor, target: Tensor, width: int) -> Tensor:
    """Return `[B, 1, 1, width]` in 0-1: how far lids are moved over a window of both eyes.

    There the skin goes with the spline and the residual flow alone: a painter's refinement, which
    closes the eye by drawing its surroundings down, would drag lashes and the rims of glasses.
    """
    left, right = (_moved(source, target, eye)[:, None, None, None] for eye in (0, 1))
    place = torch.linspace(0, 1, width, device=target.device)
    return torch.lerp(left, right, ((place - BETWEEN[0]) / (BETWEEN[1] - BETWEEN[0])).clamp(0, 1))


def _those(image: Tensor, rows: Tensor) -> Tensor:
    """Return the pictures of some rows; one that all rows share is not copied."""
    if image.stride(0) == 0:
        return image[: len(rows)]
    return image[rows]


def _lids_moved(
    colour: Tensor,
    mask: Tensor,
    warped: Tensor,
    image: Tensor,
    source: Tensor,
    target: Tensor,
    shift: Tensor,
    origin: Tensor,
    scale: int,
) -> tuple[Tensor, Tensor]:
    """Return the windows with lids and eyeballs, as far as each eye moves."""
    parted = keep_slits(source, target)
    halves = []
    columns = zip(colour.chunk(2, dim=3), mask.chunk(2, dim=3), strict=True)
    for eye, (half_colour, half_mask) in enumerate(columns):
        width = half_colour.shape[3]
        corner = origin + origin.new_tensor([eye * EYES.width // 2, 0])
        cells = pixel_grid(scale * EYES.height, width, 1 / scale).to(target).reshape(1, -1, 2)
        cells = cells + corner[:, None].to(target)
        centre = target[:, (UPPER[eye][0], UPPER[eye][-1])].mean(dim=1, keepdim=True)
        _, across = face_frame(target)
        place = to_upright(cells - centre, across)
        slit, opening = (Eye.of(face, eye, place, centre) for face in (parted, target))
        skin = _lid(warped, slit, opening, across, origin, cells, scale)
        ball = read_eyeball(image, source, target, cells, eye, shift, scale)
        change = _change(source, target, eye)
        halves.append(_with_eye(half_colour, half_mask, slit, opening, skin, ball, change, scale))
    painted, masks = (torch.cat(parts, dim=3) for parts in zip(*halves, strict=True))
    return painted, masks


def _with_eye(
    colour: Tensor,
    mask: Tensor,
    slit: Eye,
    opening: Eye,
    skin: Tensor,
    ball: Tensor,
    change: tuple[Tensor, Tensor],
    scale: int,
) -> tuple[Tensor, Tensor]:
    """Lay eyeball and lid into one half of a window, and keep paint near the eye."""
    depth = slit.depth()
    inside = (scale * opening.depth() + 0.5).clamp(0, 1) * opening.parted()
    covered = (scale * (depth + COVER) + 0.5).clamp(0, 1) * _narrowed(slit, opening)
    either = torch.maximum(covered, inside)
    shown, wider = torch.maximum(*change)[:, None], change[1][:, None]
    new = torch.lerp(skin, ball * _shade(opening), (inside / either.clamp_min(1e-3))[:, None])
    # The painter's white would outline a widened eye.
    reach = torch.lerp(torch.full_like(wider, AROUND), torch.full_like(wider, AROUND_WIDE), wider)
    near = torch.exp(((depth - wider / 2) / reach).clamp(-NOTHING, 0))
    near = torch.lerp(torch.ones_like(near), near, shown).reshape(mask.shape)
    where = (either * shown).reshape(mask.shape)
    return lay_over(colour, 1 - (1 - mask) * near, new.reshape(colour.shape), where)


def _shade(opening: Eye) -> Tensor:
    """Return `[B, 1, M]`: the light on an eyeball, less below the upper lid."""
    below = (opening.place[..., 1] - opening.upper).clamp_min(0) / SHADE_DEPTH
    return 1 - SHADE * torch.exp(-below.clamp_max(NOTHING))[:, None]


def _narrowed(slit: Eye, opening: Eye) -> Tensor:
    """Return `[B, M]` in 0-1: whether the warp left a slit wider than the lids shall be."""
    return (slit.lower - slit.upper - (opening.lower - opening.upper)).clamp(0, 1)


def _moved(source: Tensor, target: Tensor, eye: int) -> Tensor:
    """Return `[B]` in 0-1: whether an eye that the portrait has open is narrower or wider now.

    In between, the warp and the painter do well, and keep every lash.
    """
    return torch.maximum(*_change(source, target, eye))


def _change(source: Tensor, target: Tensor, eye: int) -> tuple[Tensor, Tensor]:
    """Return `[B]` in 0-1, twice: whether an open eye is narrower, and whether it is wider."""
    own, wanted = (
        (face[:, LOWER[eye][1:3]] - face[:, UPPER[eye][1:3]]).norm(dim=-1).mean(dim=1)
        for face in (source, target)
    )
    shown = ((own - SHOWN[0]) / (SHOWN[1] - SHOWN[0])).clamp(0, 1)
    ratio = wanted / own.clamp_min(0.5)
    narrower = ((NARROW - ratio) / FADE).clamp(0, 1)
    wider = ((ratio - WIDE) / FADE_WIDE).clamp(0, 1)
    return shown * narrower, shown * wider


def _lid(
    warped: Tensor,
    slit: Eye,
    opening: Eye,
    across: Tensor,
    origin: Tensor,
    cells: Tensor,
    scale: int,
) -> Tensor:
    """Return `[B, 3, M]`: the upper lid's skin, drawn on from above the slit, and the lashes."""
    y = slit.place[..., 1]
    down = torch.stack([-across[:, 1], across[:, 0]], dim=-1)[:, None]

    def read_at(height: Tensor) -> Tensor:
        places = cells + (height - y)[..., None] * down - origin[:, None].to(cells)
        return sample(warped, places[:, None], scale)[:, :, 0]

    skin = read_at(slit.upper - LASHES - 0.4 * (y - slit.upper).clamp_min(0))
    below = read_at(slit.lower + UNDER + 0.4 * (slit.lower - y).clamp_min(0))
    skin = torch.lerp(skin, TONE * below, _hidden(skin, below))
    closed = 1 - ((opening.lower - opening.upper) / 2).clamp(0, 1)
    line = torch.exp(-((y - opening.lower) / LASH_WIDTH).square().clamp_max(NOTHING)) * closed
    taper = (opening.within / 4).clamp(0, 1)
    return skin * (1 - (1 - LASH_LIGHT) * line * taper)[:, None]


def _hidden(above: Tensor, below: Tensor) -> Tensor:
    """Return `[B, 1, M]` in 0-1: how far the colour above an eye cannot be its lid's skin."""
    light, beside = (colour.mean(dim=1, keepdim=True) for colour in (above, below))
    ratio = light / beside.clamp_min(0.02)
    dark = (SKIN[0] - ratio) / (SKIN[0] - SHADOW)
    bright = (ratio - SKIN[1]) / (GLEAM - SKIN[1])
    return torch.maximum(dark, bright).clamp(0, 1)
