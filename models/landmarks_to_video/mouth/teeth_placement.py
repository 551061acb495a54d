"""Lays maps of teeth where nose and chin put them: as wide and as long as the lips bare them."""

import torch
from torch import Tensor
from torch.nn import functional as F

from models.landmarks_to_video.face_regions import Region
from models.landmarks_to_video.mouth.dentition import (
    TEETH_CENTRES,
    TEETH_REACH,
    highest_row,
    lowest_row,
)
from models.landmarks_to_video.mouth.lip_shape import dropped_teeth, hidden_teeth, smile
from models.landmarks_to_video.ramps import rise
from models.landmarks_to_video.upright import face_frame, to_upright
from models.landmarks_to_video.warping import pixel_grid

SHOWN_SHARE, FRONT_SHARE = 0.9, 0.4
"""How far towards the lips' corners there are teeth; the share of a row that is never widened."""
WIDEST = (1.8, 1.35)
"""How much wider upper and lower teeth at the sides are drawn at most; what they leave free lies in
the dark, as most of a lower row does: film bares the middle four to six of its teeth.
"""
REACHED, LONGEST, LONGEST_REPLACING = 0.82, 1.5, 1.3
"""How far down the opening a smile's upper teeth reach, as in 14 photographs; how much longer they
are drawn for it at most, and where they replace a portrait's own.
"""
RAISED = 0.08
"""How much higher lower teeth stand in a smile, in inter-ocular distances: the jaw is shut."""
RISE, FALL, TOOTH_COLUMNS = 0.35, 0.1, 17
"""Half heights by which teeth beside an own row are raised or lowered at most, so that they meet
its edge; columns of a map over which the edge of a row is followed from tip to tip.
"""
BARED_FROM, BARED, BARED_SMILING = 1.0, 1.0, 1.1
"""Height of the opening, px, from which it bares upper teeth, and how much further down they reach
for each px more, in speech and in a smile. Below them it stays dark: teeth that fill a narrow
opening have no edge, and look like a grey veil.
"""
JAW_FROM, RAISED_BY = 7.0, 0.65
"""The same for lower teeth, which only a jaw that drops in speech bares. They rise more slowly than
it drops: from one frame to the next, they would appear.
"""
THIN, BURIED = (0.5, 2.0), 3.0
"""Heights of bared lower teeth, px, up to which the lip hides all of them, and from which none:
their tips alone would be a thin light line along it. How deep a smile then hides them, px: its edge
may be drawn lower than the landmarks are (`mouth_interior.LOWERED`).
"""
LAST_ROW = 0.04
"""Half heights of a map from the end of the lower teeth to the row that is repeated below them."""


def place_teeth(
    teeth: Tensor,
    landmarks: Tensor,
    origin: Tensor,
    region: Region,
    scale: int = 1,
    rest: Tensor | None = None,
    longest: float = LONGEST,
    moved: Tensor | None = None,
    *,
    given: bool = False,
) -> Tensor:
    """Lay maps of teeth `[B, 2, 4, 128, 256]` where nose and chin of `landmarks` put them.

    `rest` are the portrait's landmarks, beside which lips smile. Upper teeth are drawn `longest`
    times as long at most. Beside a portrait's own they are `moved` `[B, 2]` inter-ocular distances
    to the right and down, as those are; a dropped jaw does not hide them. Of teeth that are `given`
    and were not read from the wanted picture, a narrow opening hides the most.

    Returns:
        `[B, 8, scale * height, scale * width]` over the region's window at `origin` `[B, 2]` px.
    """
    height, width = scale * region.height, scale * region.width
    cells = pixel_grid(height, width, 1 / scale).to(landmarks).reshape(1, -1, 2)
    cells = cells + origin[:, None].to(landmarks)
    upper, lower = (_in_map(landmarks, row, cells, region) for row in (0, 1))
    smiling = smile(landmarks, rest)
    if moved is None:
        x, y = upper.unbind(dim=-1)
        y = y + hidden_teeth(landmarks, rest)[:, None] / TEETH_REACH[1]
        if given:
            y = y + _beyond_upper_edge(teeth[:, 0], landmarks, smiling, region, rest)[:, None]
    else:
        x, y = (upper - moved[:, None] / upper.new_tensor(TEETH_REACH)).unbind(dim=-1)
    upper = torch.stack([x, _longer(y, teeth[:, 0], landmarks, smiling, region, longest)], dim=-1)
    x, y = lower.unbind(dim=-1)
    raised = RAISED * smiling - dropped_teeth(landmarks, rest)
    y = y + raised[:, None] / TEETH_REACH[1]
    if given:
        y = y - _beyond_lower_edge(teeth[:, 1], raised, landmarks, smiling, region)[:, None]
    lower = torch.stack([x, y.minimum(_lowest(teeth[:, 1]))], dim=-1)
    placed = []
    for row, place in enumerate((upper, lower)):
        corners = _in_map(landmarks, row, landmarks[:, [60, 64]], region)[..., 0]
        wanted = SHOWN_SHARE * corners * corners.new_tensor([-1, 1])
        sideways = _narrowed(place[..., 0], _seen_width(teeth[:, row]), wanted, WIDEST[row])
        place = torch.stack([sideways, place[..., 1]], dim=-1)
        placed.append(
            F.grid_sample(
                teeth[:, row],
                place.reshape(-1, height, width, 2),
                padding_mode="zeros",
                align_corners=False,
            )
        )
    return torch.cat(placed, dim=1)


def bent_to(teeth: Tensor, landmarks: Tensor, ends: Tensor, region: Region) -> Tensor:
    """Raise or lower the sides of upper teeth, so that their edge meets that of an own row.

    Args:
        teeth: `[1, 4, 128, 256]` borrowed upper teeth.
        landmarks: `[1, 79, 2]` of the portrait, px.
        ends: `[1, 2, 2]` left and right end of the own row's edge, px.
        region: the mouth.

    Returns:
        The bent map, alike.
    """
    places = _in_map(landmarks, 0, ends, region)
    corners = _in_map(landmarks, 0, landmarks[:, [60, 64]], region)[..., 0]
    wanted = SHOWN_SHARE * corners * corners.new_tensor([-1, 1])
    x = _narrowed(places[..., 0], _seen_width(teeth), wanted, WIDEST[0])[0]
    across = torch.linspace(-1, 1, teeth.shape[3]).to(teeth)
    down = torch.linspace(-1, 1, teeth.shape[2]).to(teeth)
    edge = torch.where(teeth[0, 3] > 0.5, down[:, None], -1.0).amax(dim=0)
    edge = F.max_pool1d(edge[None], TOOTH_COLUMNS, 1, TOOTH_COLUMNS // 2)[0]
    column = ((x + 1) / 2 * (len(across) - 1)).round().long().clamp(0, len(across) - 1)
    found = edge[column]
    fall = torch.where(found > -1, places[0, :, 1] - found, 0.0).clamp(-RISE, FALL)
    share = ((across - x[0]) / (x[1] - x[0]).clamp_min(1e-2)).clamp(0, 1)
    lowered = torch.lerp(fall[0], fall[1], share)
    grid = torch.stack([across.expand(len(down), -1), down[:, None] - lowered], dim=-1)
    return F.grid_sample(teeth, grid[None], padding_mode="border", align_corners=True)


def _seen_width(teeth: Tensor) -> Tensor:
    """Return `[B, 2]`: how far to the left and right a map `[B, 4, 128, 256]` has teeth, in half
    widths.
    """
    columns = (teeth[:, 3].amax(dim=1) > 0.5).to(teeth)
    across = torch.linspace(-1, 1, columns.shape[1]).to(columns)
    return torch.stack([(columns * -across).amax(dim=1), (columns * across).amax(dim=1)], dim=1)


def _narrowed(x: Tensor, seen: Tensor, wanted: Tensor, widest: float) -> Tensor:
    """Return where to look for teeth at `x` `[B, M]`, so that what is seen fills what is wanted.

    A smile bares more than the picture that the teeth are from, and so does one side of a head that
    is turned. The front teeth keep their width, those at the sides are widened, up to `widest`.

    Args:
        x: places, in half widths of the map.
        seen, wanted: `[B, 2]`: how far there are teeth to the left and to the right, and should be.
    """
    middle = (seen[:, 1:] - seen[:, :1]) / 2
    half = seen.mean(dim=1, keepdim=True)
    from_middle = x - middle
    sides = torch.where(from_middle < 0, wanted[:, :1] + middle, wanted[:, 1:] - middle)
    front = FRONT_SHARE * half
    rate = ((half - front) / (sides - front).clamp_min(1e-3)).clamp(1 / widest, 1)
    beyond = (from_middle.abs() - front).clamp_min(0)
    return x - from_middle.sign() * beyond * (1 - rate)


def _in_map(landmarks: Tensor, row: int, places: Tensor, region: Region) -> Tensor:
    """Return where places `[B, M, 2]` px of a face lie on the map of a row, in its half sizes."""
    distance, across = face_frame(landmarks)
    offset = places - landmarks[:, None, region.anchors[row]]
    offset = to_upright(offset / distance[:, None, None], across)
    return (offset - offset.new_tensor(TEETH_CENTRES[row])) / offset.new_tensor(TEETH_REACH)


def _longer(
    y: Tensor,
    teeth: Tensor,
    landmarks: Tensor,
    smiling: Tensor,
    region: Region,
    longest: float,
) -> Tensor:
    """Return where on the upper map to look for teeth at heights `y` `[B, M]`, in half heights.

    A smile parts the lips and not the teeth: they are drawn longer, from the upper lip on, until
    their edges reach REACHED of the way to the lower one.
    """
    lips = _in_map(landmarks, 0, landmarks[:, [62, 66]], region)[..., 1]
    upper, lower = lips.unbind(dim=1)
    needed = REACHED * (lower - upper) / (lowest_row(teeth[:, 3]) - upper).clamp_min(1e-2)
    stretch = 1 + smiling * (needed.clamp(1, longest) - 1)
    below = (y - upper[:, None]).clamp_min(0)
    return y - below * (1 - 1 / stretch[:, None])


def _beyond_upper_edge(
    teeth: Tensor, landmarks: Tensor, smiling: Tensor, region: Region, rest: Tensor | None
) -> Tensor:
    """Return `[B]`: by how much upper teeth reach further down than the opening bares them, in half
    heights of their map `[B, 4, 128, 256]`.
    """
    half, opening = _half_height(landmarks), _opening(landmarks)
    upper = _in_map(landmarks, 0, landmarks[:, [62]], region)[:, 0, 1]
    hidden = hidden_teeth(landmarks, rest) / TEETH_REACH[1]
    reach = (lowest_row(teeth[:, 3]) - upper - hidden) * half
    rate = BARED + (BARED_SMILING - BARED) * smiling
    return (reach - rate * (opening - BARED_FROM).clamp_min(0)).clamp_min(0) / half


def _beyond_lower_edge(
    teeth: Tensor, raised: Tensor, landmarks: Tensor, smiling: Tensor, region: Region
) -> Tensor:
    """Return `[B]`: by how much lower teeth reach further up than the opening bares them, in half
    heights of their map `[B, 4, 128, 256]`; they are `raised` `[B]` inter-ocular distances.
    """
    half, opening = _half_height(landmarks), _opening(landmarks)
    lower = _in_map(landmarks, 1, landmarks[:, [66]], region)[:, 0, 1]
    reach = (lower - highest_row(teeth[:, 3]) + raised / TEETH_REACH[1]) * half
    bared = RAISED_BY * ((1 - smiling).square() * opening - JAW_FROM)
    bared = torch.minimum(reach, bared).clamp_min(0)
    seen = rise(bared, *THIN)
    return (reach - bared * seen + BURIED * smiling.sqrt() * (1 - seen)).clamp_min(0) / half


def _half_height(landmarks: Tensor) -> Tensor:
    """Return `[B]`: px of a half height of a map."""
    distance, _ = face_frame(landmarks)
    half: Tensor = TEETH_REACH[1] * distance
    return half


def _opening(landmarks: Tensor) -> Tensor:
    """Return `[B]`: how far apart the middles of the inner lips are, px."""
    height: Tensor = (landmarks[:, 66] - landmarks[:, 62]).norm(dim=-1)
    return height


def _lowest(teeth: Tensor) -> Tensor:
    """Return `[B, 1]`: the last row that shows on a map `[B, 4, 128, 256]`; it goes on below."""
    last: Tensor = lowest_row(teeth[:, 3]) - LAST_ROW
    return last[:, None]
