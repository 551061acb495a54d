"""Eyes that open and close: lids slide over an eyeball that does not deform.

The warp squeezes a closing eye into a slit and stretches a widening one. Here the eyeball keeps the
portrait's own pixels, and what closing lids cover becomes skin, with lashes where they meet.
"""

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from models.landmarks_to_video.edges import edge_height, to_upright
from models.landmarks_to_video.face_regions import EYES, face_frame
from models.landmarks_to_video.painted_window import lay_over
from models.landmarks_to_video.warping import keep_slits, pixel_grid, sample

UPPER, LOWER = ((36, 37, 38, 39), (42, 43, 44, 45)), ((36, 41, 40, 39), (42, 47, 46, 45))
"""Edges of the lids from corner to corner, the viewer's left eye first."""
IRISES = (68, 69)
LASHES, LASH_WIDTH, LASH_LIGHT = 2.5, 0.9, 0.55
"""Px above the upper lid's edge where its bare skin begins; half width of the line where lids meet,
px, and its brightness relative to the skin.
"""
SHOWN = (2.0, 3.0)
"""Px between the lids of a portrait from which on its eyeball is shown, and fully shown."""
CLOSED = 1.0
"""Px between lids that touch, as trackers see them."""
COVER = 1.0
"""Px around the warp's slit that a closing lid covers."""
RIM = 1.0
"""Px at the lids' edges that are not taken for the eyeball."""
NARROW, WIDE, FADE = 0.75, 1.3, 0.25
"""Openings, relative to the portrait's, from which lids are moved; how fast that fades in."""
AROUND = 2.5
"""Px around an eye within which the painter may paint on the skin."""
NOTHING = 20.0
"""Exponent at which what fades away has gone; beyond, exponentials become slow to compute with."""


@dataclass(frozen=True)
class Eye:
    """One eye over a window: edges of its lids at each pixel's column, upright and px, `[B, M]`."""

    place: Tensor
    upper: Tensor
    lower: Tensor
    within: Tensor

    @classmethod
    def of(cls, landmarks: Tensor, eye: int, place: Tensor, centre: Tensor) -> Self:
        """Read the lids of `[B, 79, 2]` at upright places `[B, M, 2]` from `centre` `[B, 1, 2]`."""
        _, across = face_frame(landmarks)
        edges = [to_upright(landmarks[:, knots[eye]] - centre, across) for knots in (UPPER, LOWER)]
        x = place[..., 0]
        within = torch.minimum(x - edges[0][:, :1, 0], edges[0][:, -1:, 0] - x)
        upper, lower = (edge_height(knots, x) for knots in edges)
        return cls(place, upper, torch.maximum(lower, upper), within)

    def parted(self) -> Tensor:
        """Return `[B, M]` in 0-1: whether the lids are apart at all, beyond what trackers see."""
        return (self.lower - self.upper - CLOSED).clamp(0, 1)

    def depth(self) -> Tensor:
        """Return how deep in the opening each pixel lies, px; negative outside."""
        y = self.place[..., 1]
        return torch.minimum(torch.minimum(y - self.upper, self.lower - y), self.within)


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
    shown = torch.stack([_moved(source, target, eye) for eye in (0, 1)])
    rows = shown.amax(dim=0).nonzero()[:, 0]
    if not len(rows):
        return colour, mask
    moved = _lids_moved(
        shown[:, rows],
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


def _those(image: Tensor, rows: Tensor) -> Tensor:
    """Return the pictures of some rows; one that all rows share is not copied."""
    if image.stride(0) == 0:
        return image[: len(rows)]
    return image[rows]


def _lids_moved(
    shown: Tensor,
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
    """Return the windows with lids and eyeballs, as far as each eye shows them: `[2, B]` in 0-1."""
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
        ball = _eyeball(image, source, target, cells, eye, shift, scale)
        halves.append(
            _with_eye(half_colour, half_mask, slit, opening, skin, ball, shown[eye], scale)
        )
    painted, masks = (torch.cat(parts, dim=3) for parts in zip(*halves, strict=True))
    return painted, masks


def _with_eye(
    colour: Tensor,
    mask: Tensor,
    slit: Eye,
    opening: Eye,
    skin: Tensor,
    ball: Tensor,
    shown: Tensor,
    scale: int,
) -> tuple[Tensor, Tensor]:
    """Lay eyeball and lid into one half of a window, and keep paint near the eye."""
    depth = slit.depth()
    inside = (scale * opening.depth() + 0.5).clamp(0, 1) * opening.parted()
    covered = (scale * (depth + COVER) + 0.5).clamp(0, 1) * _narrowed(slit, opening)
    where = (torch.maximum(covered, inside) * shown[:, None]).reshape(mask.shape)
    new = torch.lerp(skin, ball, inside[:, None]).reshape(colour.shape)
    near = torch.exp((depth / AROUND).clamp(-NOTHING, 0))
    near = torch.lerp(torch.ones_like(near), near, shown[:, None]).reshape(mask.shape)
    kept = 1 - (1 - mask) * near
    return lay_over(colour, kept, new, where)


def _narrowed(slit: Eye, opening: Eye) -> Tensor:
    """Return `[B, M]` in 0-1: whether the warp left a slit wider than the lids shall be."""
    return (slit.lower - slit.upper - (opening.lower - opening.upper)).clamp(0, 1)


def _moved(source: Tensor, target: Tensor, eye: int) -> Tensor:
    """Return `[B]` in 0-1: whether an eye that the portrait has open is narrower or wider now.

    In between, the warp and the painter do well, and keep every lash.
    """
    own, wanted = (
        (face[:, LOWER[eye][1:3]] - face[:, UPPER[eye][1:3]]).norm(dim=-1).mean(dim=1)
        for face in (source, target)
    )
    shown = ((own - SHOWN[0]) / (SHOWN[1] - SHOWN[0])).clamp(0, 1)
    ratio = wanted / own.clamp_min(0.5)
    narrower = ((NARROW - ratio) / FADE).clamp(0, 1)
    wider = ((ratio - WIDE) / FADE).clamp(0, 1)
    moved: Tensor = shown * torch.maximum(narrower, wider)
    return moved


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
    bare = slit.upper - LASHES - 0.4 * (y - slit.upper).clamp_min(0)
    places = cells + (bare - y)[..., None] * down - origin[:, None].to(cells)
    skin = sample(warped, places[:, None], scale)[:, :, 0]
    closed = 1 - ((opening.lower - opening.upper) / 2).clamp(0, 1)
    line = torch.exp(-((y - opening.lower) / LASH_WIDTH).square().clamp_max(NOTHING)) * closed
    taper = (opening.within / 4).clamp(0, 1)
    return skin * (1 - (1 - LASH_LIGHT) * line * taper)[:, None]


def _eyeball(
    image: Tensor,
    source: Tensor,
    target: Tensor,
    cells: Tensor,
    eye: int,
    shift: Tensor,
    scale: int,
) -> Tensor:
    """Return `[B, 3, M]`: the portrait's eye, moved as a whole; what its lids hide is mirrored."""
    (size, across), (wanted, turned) = face_frame(source), face_frame(target)
    iris = IRISES[eye]
    offset = to_upright(cells - target[:, None, iris], turned) * (size / wanted)[:, None, None]
    centre = source[:, None, iris]
    own = Eye.of(source, eye, offset, centre)
    highest = own.upper + RIM
    lowest = (own.lower - RIM).maximum(highest)
    y = offset[..., 1]
    mirrored = torch.where(y < highest, 2 * highest - y, torch.where(y > lowest, 2 * lowest - y, y))
    y = mirrored.maximum(highest).minimum(lowest)
    down = torch.stack([-across[:, 1], across[:, 0]], dim=-1)[:, None]
    places = centre + offset[..., :1] * across[:, None] + y[..., None] * down
    return sample(image, (places - shift[:, None].to(places))[:, None], scale)[:, :, 0]
