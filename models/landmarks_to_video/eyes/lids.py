"""Eyes that open and close: lids slide over an eyeball that does not deform.

The warp squeezes a closing eye into a slit and stretches a widening one. Here the eyeball keeps the
portrait's own pixels. Around a closing eye the warp leaves the upper lid where it was, and with it
the brow and the rim of glasses. The lid is drawn down over all of the eye: the skin around it,
carried on, and lashes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from media.faces.landmarks import LOWER_LIDS, UPPER_LIDS
from models.landmarks_to_video.eyes.eyeball import EYE_CORNERS, UPPER, Eye, of_eyes, read_eyeball
from models.landmarks_to_video.eyes.lid_skin import brow_room, draw_lid, read_lid
from models.landmarks_to_video.face_regions import EYES, GEOMETRY_STRIDE, NEAR, rows_of
from models.landmarks_to_video.painted_window import Window, lay_over
from models.landmarks_to_video.ramps import NOTHING
from models.landmarks_to_video.upright import downwards, face_frame, to_upright
from models.landmarks_to_video.warping import (
    FLOW_STRIDE,
    flow_coordinates,
    keep_slits,
    landmark_flow,
    pixel_grid,
    sample,
    upsample_flow,
)

SHOWN = (2.0, 3.0)
"""Px between the lids of a portrait from which on its eyeball is shown, and fully shown."""
NARROW, WIDE, FADE, FADE_WIDE = 0.62, 1.05, 0.22, 0.12
"""Openings, relative to the portrait's, from which lids are moved; how fast that fades in."""
AROUND, AROUND_WIDE = 2.5, 0.3
"""Px around an eye, and a widened one, within which the painter may paint on the skin."""
HANDOVER = 0.35
"""How much narrower an eye is, 0-1, when its lids are drawn fully; then the warp holds them up."""
SHADE, SHADE_DEPTH = 0.6, 1.8
"""How much darker the eyeball is at the upper lid's edge, and px below it over which that fades."""
DIM = 0.6, 0.42
"""How far the eyeball under a closing lid loses its contrast before it is covered, and the
brightness that it then has relative to the skin under the eye.
"""
PARTED = (0.15, 0.45)
"""Openings, relative to the portrait's, at which lids touch, and are as far apart as asked for.

Both eyes touch at the same share of their opening.
"""
BETWEEN = (0.4, 0.6)
"""Shares of a window's width between which one eye's skin passes over into the other's."""


def move_lids(colour: Tensor, mask: Tensor, window: Window) -> tuple[Tensor, Tensor]:
    """Put eyeballs and lids into the painted eyes' windows in which a lid moves far enough.

    Args:
        colour: `[B, 3, h, w]` the painter's, 0-1.
        mask: `[B, 1, h, w]` 1 where the warp is shown.
        window: what is painted.

    Returns:
        Colour and mask.
    """
    changes = _changes(window.source, window.target)
    narrower, wider = (change.amax(dim=1) > 0 for change in changes)
    for chosen, closing in ((narrower, True), (wider & ~narrower, False)):
        rows = chosen.nonzero()[:, 0]
        if len(rows):
            moved = _lids_moved(colour[rows], mask[rows], _those(window, rows), closing=closing)
            colour, mask = (
                whole.index_copy(0, rows, part)
                for whole, part in zip((colour, mask), moved, strict=True)
            )
    return colour, mask


def keep_eyeballs(mask: Tensor, geometry: Tensor, window: Window) -> Tensor:
    """Return an eyes painter's mask `[B, 1, h, w]`, 1 on eyeballs that the portrait shows.

    Paint on a narrowed eye takes the contrast from its iris. The `geometry` of the wanted face,
    `[B, GEOMETRY_CHANNELS, h / 2, w / 2]`, begins with the distances to each eye's opening.
    """
    shown = _shown(window.source)[..., None, None]
    inside = (shown * (1 + geometry[:, 0:4:2])).amax(dim=1, keepdim=True) - 1
    inside = upsample_flow(NEAR * inside, GEOMETRY_STRIDE * window.scale) + 0.5
    return mask + (1 - mask) * inside.clamp(0, 1)


def moved_share(source: Tensor, target: Tensor, width: int) -> Tensor:
    """Return `[B, 1, 1, width]` in 0-1: how far lids are moved over a window of both eyes.

    There the skin goes with the spline and the residual flow alone: a painter's refinement, which
    closes the eye by drawing its surroundings down, would drag lashes and the rims of glasses.
    """
    # In between, the warp and the painter do well, and keep every lash.
    return _along(torch.maximum(*_changes(source, target)), width)


def drawn_share(source: Tensor, target: Tensor, width: int) -> Tensor:
    """Return `[B, 1, 1, width]` in 0-1: how far closing lids are drawn over a window of both."""
    return _along(_drawn(_changes(source, target)[0]), width)


def _along(eyes: Tensor, width: int) -> Tensor:
    """Return `[B, 1, 1, width]`: what is `[B, 2]` at the left eye, and at the right one."""
    place = torch.linspace(0, 1, width, device=eyes.device)
    share = ((place - BETWEEN[0]) / (BETWEEN[1] - BETWEEN[0])).clamp(0, 1)
    left, right = eyes[:, None, None].chunk(2, dim=-1)
    return torch.lerp(left, right, share)


def lift(source: Tensor, target: Tensor, held: Tensor, prior: Tensor, origin: Tensor) -> Tensor:
    """Return what holds the upper lids up in a warp, `[B, 2, h, w]` px.

    Args:
        source: the portrait's landmarks, `[B, 79, 2]` px.
        target: the wanted ones, alike.
        held: these with the upper lids `held_up`.
        prior: `[B, 2, h, w]` px, the thin-plate flow from `source` to `target`.
        origin: `[B, 2]` px, left and top of `prior`.
    """
    flow = torch.zeros_like(prior)
    rows = (held != target).flatten(1).any(dim=1).nonzero()[:, 0]
    if not len(rows):
        return flow
    nodes = prior.shape[-2:]
    points = pixel_grid(*nodes, FLOW_STRIDE).to(target).reshape(1, -1, 2)
    points = points + origin[rows, None].to(target)
    raised = landmark_flow(source[rows], held[rows], points)
    raised = raised.transpose(1, 2).reshape(len(rows), 2, *nodes)
    return flow.index_copy(0, rows, raised - prior[rows])


def held_up(source: Tensor, target: Tensor) -> Tensor:
    """Return `target` with the upper lids of narrowed eyes as high as in the portrait.

    Under lowered brows, they are held less high: they would push these up in a blink.
    """
    held = target.clone()
    shares = _lifted(_changes(source, target)[0])
    for eye, share in enumerate(shares.chunk(2, dim=1)):
        if not share.any():
            continue
        knots = list(UPPER[eye])
        frames = [_corner_frame(face, eye) for face in (source, target)]
        (own, own_size, own_across), (wanted, size, across) = frames
        upright = to_upright(source[:, knots] - own, own_across) * (size / own_size)[:, None, None]
        down = downwards(across)[:, None]
        height = to_upright(target[:, knots] - wanted, across)[..., 1]
        rise = (height - upright[..., 1]).clamp_min(0) * share
        highest = target.clone()
        highest[:, knots] -= rise[..., None] * down
        room = brow_room(source, highest, eye)
        held[:, knots] -= (room * rise)[..., None] * down
    return held


def _corner_frame(face: Tensor, eye: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return the middle `[B, 1, 2]` of an eye's corners, their distance `[B]` and direction."""
    corners = face[:, (UPPER[eye][0], UPPER[eye][-1])]
    apart = corners[:, 1] - corners[:, 0]
    size = apart.norm(dim=-1).clamp_min(1.0)
    return corners.mean(dim=1, keepdim=True), size, apart / size[:, None]


def _those(window: Window, rows: Tensor) -> Window:
    """Return some rows of a window; a picture that all rows share is not copied."""
    shared = window.image.stride(0) == 0
    lifted = window.lift
    return Window(
        window.image[:1].expand(len(rows), -1, -1, -1) if shared else window.image[rows],
        window.shift[rows],
        window.flow[rows],
        window.source[rows],
        window.target[rows],
        window.origin[rows],
        scale=window.scale,
        lift=None if lifted is None else lifted[rows],
        frame=None if window.frame is None else window.frame[rows],
    )


def _eyes_of(window: Window) -> Window:
    """Return the windows of single eyes, left eyes before right: the halves of all windows."""
    both = _those(window, torch.arange(len(window.target), device=window.target.device).repeat(2))
    right = window.origin + window.origin.new_tensor([EYES.width // 2, 0])
    return replace(both, origin=torch.cat([window.origin, right]))


def _halves(windows: Tensor) -> Tensor:
    """Return the left halves of `[B, C, h, w]`, and then the right ones: `[E, C, h, w / 2]`."""
    return torch.cat(windows.chunk(2, 3))


def _lids_moved(
    colour: Tensor, mask: Tensor, window: Window, *, closing: bool
) -> tuple[Tensor, Tensor]:
    """Return the windows with eyeballs and, if any eye is `closing`, lids, as far as each moves.

    All eyes are drawn at once, left eyes before right.
    """
    scale, eyes = window.scale, _eyes_of(window)
    source, target = eyes.source, eyes.target
    lids = _lids(window) if closing else None
    held = keep_slits(source, held_up(source, target)) if closing else target
    changes = _changes(window.source, window.target)
    ratio, *change = (each.T.flatten() for each in (_ratio(window.source, window.target), *changes))
    _, across = face_frame(target)
    cells = pixel_grid(scale * EYES.height, scale * EYES.width // 2, 1 / scale).to(target)
    cells = cells.reshape(1, -1, 2) + eyes.origin[:, None].to(target)
    centre = of_eyes(target, EYE_CORNERS).mean(dim=1, keepdim=True)
    place = to_upright(cells - centre, across)
    opening = Eye.of(target, place, centre)
    resting = Eye.of(held, place, centre) if closing else opening
    seen = ((ratio - PARTED[0]) / (PARTED[1] - PARTED[0])).clamp(0, 1)[:, None]
    opening = opening.narrowed(seen)
    inside = (scale * opening.depth() + 0.5).clamp(0, 1) * opening.parted()
    half_colour, half_mask = _halves(colour), _halves(mask)
    ball = _eyeball(eyes, cells, inside.reshape(half_mask.shape))
    lid = None
    if lids is not None:
        skin = read_lid(eyes, cells, held)
        lid = draw_lid(lids.warped, skin, resting, opening, scale, lids.frame)
        dim = (1 - ratio.clamp(0, 1))[:, None, None]
        ball = torch.lerp(ball, DIM[1] * skin.under, DIM[0] * dim)
    drawn = _with_eye(half_colour, half_mask, resting, opening, inside, lid, ball, change)
    painted, masks = (torch.cat(part.chunk(2), dim=3) for part in drawn)
    return painted, masks


@dataclass(frozen=True)
class _Lids:
    """What lids are drawn from.

    warped: `[E, 3, M]` the portrait whose upper lids are held up.
    frame: `[E, M]` px to the frame of glasses, or None.
    """

    warped: Tensor
    frame: Tensor | None


def _lids(window: Window) -> _Lids:
    scale = window.scale
    lifted = window.lift
    if lifted is None:
        held = held_up(window.source, window.target)
        lifted = lift(window.source, window.target, held, window.flow, window.origin)
    places = flow_coordinates(upsample_flow(window.flow + lifted, FLOW_STRIDE * scale), 1 / scale)
    places = places + (window.origin - window.shift).to(places)[:, None, None]
    warped = sample(window.image, places, scale)
    frame = None
    if window.frame is not None:
        frame = _halves(upsample_flow(window.frame, FLOW_STRIDE * scale)).flatten(1)
    return _Lids(_halves(warped).flatten(2), frame)


def _eyeball(eyes: Window, cells: Tensor, inside: Tensor) -> Tensor:
    """Return eyeballs `[E, 3, M]` at places `[E, M, 2]` px, black in rows that show none of them.

    They are seen `inside` an opening, `[E, 1, h, w]` in 0-1.
    """
    rows, width = rows_of(inside[:, 0] > 0), inside.shape[3]
    part = slice(rows.start * width, rows.stop * width)
    ball = cells.new_zeros(len(cells), 3, cells.shape[1])
    ball[..., part] = read_eyeball(
        eyes.image, eyes.source, eyes.target, cells[:, part], eyes.shift, eyes.scale
    )
    return ball


def _with_eye(
    colour: Tensor,
    mask: Tensor,
    resting: Eye,
    opening: Eye,
    inside: Tensor,
    lid: tuple[Tensor, Tensor, Tensor] | None,
    ball: Tensor,
    change: Sequence[Tensor],
) -> tuple[Tensor, Tensor]:
    """Lay eyeball and lid, if any, into halves of windows, and keep paint near the eyes."""
    depth = resting.depth()
    drawn, wider = _drawn(change[0])[:, None], change[1][:, None]
    either, new = inside, ball * _shade(opening)
    if lid is not None:
        either = torch.maximum(lid[1] * (drawn > 0), inside)
        light = torch.lerp(_shade(opening), lid[2].sqrt(), drawn[..., None])
        new = torch.lerp(lid[0], ball * light, (inside / either.clamp_min(1e-3))[:, None])
    shown = torch.maximum(drawn, wider)
    # The painter's white would outline a widened eye.
    reach = torch.lerp(torch.full_like(wider, AROUND), torch.full_like(wider, AROUND_WIDE), wider)
    near = torch.exp(((depth - wider / 2) / reach).clamp(-NOTHING, 0))
    near = torch.lerp(torch.ones_like(near), near, shown).reshape(mask.shape)
    where = (either * shown).reshape(mask.shape)
    return lay_over(colour, 1 - (1 - mask) * near, new.reshape(colour.shape), where)


def _shade(opening: Eye) -> Tensor:
    """Return `[E, 1, M]`: the light on an eyeball, less below the upper lid."""
    below = (opening.place[..., 1] - opening.upper).clamp_min(0) / SHADE_DEPTH
    return 1 - SHADE * torch.exp(-below.clamp_max(NOTHING))[:, None]


def _changes(source: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Return `[B, 2]` in 0-1, twice: whether an eye that the portrait has open is narrower now, and
    whether it is wider.
    """
    shown, ratio = _shown(source), _ratio(source, target)
    narrower = ((NARROW - ratio) / FADE).clamp(0, 1)
    wider = ((ratio - WIDE) / FADE_WIDE).clamp(0, 1)
    return shown * narrower, shown * wider


def _shown(source: Tensor) -> Tensor:
    """Return `[B, 2]` in 0-1: how far a portrait shows each eyeball."""
    return ((_gaps(source) - SHOWN[0]) / (SHOWN[1] - SHOWN[0])).clamp(0, 1)


def _ratio(source: Tensor, target: Tensor) -> Tensor:
    """Return `[B, 2]`: how far each eye is open relative to the portrait's."""
    return _gaps(target) / _gaps(source).clamp_min(0.5)


def _gaps(face: Tensor) -> Tensor:
    """Return `[B, 2]`: the distance between each eye's lids, px."""
    apart: Tensor = (face[:, LOWER_LIDS] - face[:, UPPER_LIDS]).norm(dim=-1)
    return apart.reshape(-1, 2, 2).mean(dim=2)


def _drawn(narrower: Tensor) -> Tensor:
    """Return how far lids are drawn: fully before the warp begins to hold the lids up."""
    return (narrower / HANDOVER).clamp(0, 1)


def _lifted(narrower: Tensor) -> Tensor:
    """Return how far the warp holds the upper lids up where the lids are drawn."""
    return ((narrower - HANDOVER) / (1 - HANDOVER)).clamp(0, 1)
