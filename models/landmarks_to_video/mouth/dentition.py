"""Teeth: as anatomy draws them, and as a photograph shows them.

A photograph's teeth are kept as two maps, one fixed to the skull (below the nose's base), one to
the jaw (above the chin). Teeth do not deform: whatever lips do, they uncover the same maps.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.landmarks_to_video.face_regions import MOUTH, signed_distance
from models.landmarks_to_video.mouth.lip_shape import dropped_teeth, hidden_teeth
from models.landmarks_to_video.upright import downwards, face_frame, to_upright
from models.landmarks_to_video.warping import sample

PUPILS_MM = 63.0
"""Distance between the pupils that the measures below belong to (Dodgson, SPIE 5291, 2004)."""
UPPER_WIDTHS_MM = (8.5, 6.5, 7.0, 6.0, 5.0)
LOWER_WIDTHS_MM = (5.3, 5.7, 6.5, 6.0, 6.0)
"""From the midline outwards, as seen from the front."""
UPPER_SPAN_MM, LOWER_SPAN_MM = (19.0, 29.5), (-49.0, -40.0)
"""Top and bottom below the nose's base and below the chin, as tracked faces have them."""
GAP_MM, SOFT_MM = 0.5, 0.5
TEETH_HEIGHT, TEETH_WIDTH = 128, 256
TEETH_CHANNELS = 4
"""Of a map: colour over that of enamel, and visibility 0-1."""
TEETH_CENTRES = ((0.0, 0.36), (0.0, -0.60))
TEETH_REACH = (0.48, 0.27)
"""Middles and half sizes of the maps from nose and chin, in inter-ocular distances."""


def drawn_teeth(size: int, reach: float) -> Tensor:
    """Draw the upper teeth around the nose's base and the lower ones around the chin.

    Args:
        size: width and height of each drawing, pixels.
        reach: inter-ocular distances from its middle to its edges.

    Returns:
        `[2, size, size]`: 1 on a tooth, 0 beside it.
    """
    axis = torch.linspace(-reach, reach, size) * PUPILS_MM
    rows = ((UPPER_WIDTHS_MM, UPPER_SPAN_MM), (LOWER_WIDTHS_MM, LOWER_SPAN_MM))
    return torch.stack([_row(axis, torch.tensor(widths), span) for widths, span in rows])


def _row(axis: Tensor, widths: Tensor, span: tuple[float, float]) -> Tensor:
    edges = torch.cat([torch.zeros(1), widths.cumsum(0)])
    from_edge = (axis.abs()[:, None] - edges).abs().amin(dim=1) - GAP_MM / 2
    across = (from_edge / SOFT_MM).clamp(0, 1) * (axis.abs() < edges[-1])
    inside = torch.minimum(axis - span[0], span[1] - axis)
    return (inside / SOFT_MM).clamp(0, 1)[:, None] * across[None, :]


LIP_SHADE = 1.0
"""Pixels at the lips' edge that are not taken for the mouth's inside."""
WHITEST = 12.0
"""Power of its brightness with which a pixel of the mouth's inside counts as enamel."""


def read_teeth(
    image: Tensor,
    landmarks: Tensor,
    shift: Tensor,
    scale: int = 1,
    shade: float = LIP_SHADE,
    rest: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Read maps `[B, 2, 4, 128, 256]` from between a photograph's lips, and the enamel's colour.

    Args:
        image: `[B, 3, scale * H, scale * W]`, 0-1.
        landmarks: `[B, 79, 2]` px of the crop.
        shift: `[B, 2]` left and top of the image in the crop, px.
        scale: pixels of the image for each of the crop.
        shade: px of the crop at the lips' edge that are left out.
        rest: `[B, 79, 2]` the landmarks beside which the lips smile, px.

    Returns:
        The maps and `[B, 3]`, the colour that is 1 on them.
    """
    distance, across = face_frame(landmarks)
    steps = [(torch.arange(n) + 0.5) / n * 2 - 1 for n in (TEETH_HEIGHT, TEETH_WIDTH)]
    y, x = torch.meshgrid(*steps, indexing="ij")
    unit = torch.stack([x, y], dim=-1).to(landmarks).reshape(1, -1, 2)
    down = downwards(across)
    drops = -hidden_teeth(landmarks, rest), dropped_teeth(landmarks, rest)
    maps = []
    for anchor, centre, drop in zip(MOUTH.anchors, TEETH_CENTRES, drops, strict=True):
        offset = unit * unit.new_tensor(TEETH_REACH) + unit.new_tensor(centre)
        offset = offset + drop[:, None, None] * offset.new_tensor([0, 1])
        turned = offset[..., :1] * across[:, None] + offset[..., 1:] * down[:, None]
        places = landmarks[:, None, anchor] + turned * distance[:, None, None]
        inside = signed_distance(places, landmarks[:, MOUTH.polygons[0]]) - shade
        places = (places - shift[:, None].to(places)).reshape(-1, TEETH_HEIGHT, TEETH_WIDTH, 2)
        visible = (inside.clamp(-0.5, 0.5) + 0.5).reshape(-1, 1, TEETH_HEIGHT, TEETH_WIDTH)
        maps.append(torch.cat([sample(image, places, scale), visible], dim=1))
    teeth = torch.stack(maps, dim=1)
    colour = enamel(teeth)
    colours = teeth[:, :, :3] / colour[:, None, :, None, None]
    return torch.cat([colours, teeth[:, :, 3:]], dim=2), colour


def enamel(teeth: Tensor) -> Tensor:
    """Return `[B, 3]`: the colour of what is brightest on the upper map `[B, 2, 4, 128, 256]`."""
    colours, visible = teeth[:, 0, :3], teeth[:, 0, 3:]
    bright = colours.mean(dim=1, keepdim=True) * visible
    share = bright / bright.amax(dim=(2, 3), keepdim=True).clamp_min(1e-3)
    weight = share.pow(WHITEST) * visible + 1e-6
    colour: Tensor = (colours * weight).sum(dim=(2, 3)) / weight.sum(dim=(2, 3))
    return colour.clamp_min(0.05)


TOOTH_REDNESS, TOOTH_MARGIN, TOOTH_LIGHT = 0.6, 0.02, 0.55
"""A tooth is this much less red than the lips, and at least this bright beside the brightest."""
ENAMEL_LIGHT = 0.5
"""The brightest is at least this bright beside the skin, or what shows is a cavity."""
ENAMEL_REDNESS, GREY = 0.45, 0.09
"""Redness beside that of the lips, and absolute one, up to which what is brightest between lips is
surely enamel. A lip in the light, and an edge of it that was taken for the opening, are redder.
"""
EDGE_COLUMNS = 20
"""Columns on either side of the middle in which the front teeth's edge is looked for."""
BELOW_UPPER_LIP, BELOW_LOWER_LIP = 0.055, 0.06
"""Upper and lower incisors' edges below those of resting lips, in inter-ocular distances; the first
is the median of 60 smiles beside the same people's neutral faces.
"""
BELOW_RESTING, BELOW_PARTED = (BELOW_UPPER_LIP, BELOW_LOWER_LIP), (0.02, 0.035)
"""Both of them, for resting lips, and for lips that stand apart and show no teeth."""
LOWEST_EDGE = 0.72
"""How far down the lower map the incisors' edges lie at most, in half heights: below them, the map
must hold the crowns. Of 661 closed synthetic portraits, 38 would have them lower.
"""


class Dentitions(nn.Module):
    """Upper and lower teeth of a few people, for portraits that show none of their own.

    The maps are aligned: the incisors' edges lie on their middle rows, the midlines in the middle.
    """

    maps: Tensor
    lower_maps: Tensor
    widths: Tensor

    def __init__(self, count: int) -> None:
        super().__init__()
        for name in ("maps", "lower_maps"):
            rows = torch.zeros(count, TEETH_CHANNELS, TEETH_HEIGHT, TEETH_WIDTH)
            self.register_buffer(name, rows)
        self.register_buffer("widths", torch.zeros(count))

    def borrowed(
        self, landmarks: Tensor, below_lips: tuple[float, float] = BELOW_RESTING
    ) -> Tensor:
        """Return maps `[B, 2, 4, 128, 256]` of mouths as wide as those of faces `[B, 79, 2]`.

        They hang where each face has its teeth: behind the middle of the lips, which a turned head
        does not have below its nose. The edges of upper and lower teeth lie `below_lips`
        inter-ocular distances below these lips.
        """
        distance, across = face_frame(landmarks)
        width = (landmarks[:, 54] - landmarks[:, 48]).norm(dim=-1) / distance
        nearest = (self.widths - width[:, None]).abs().argmin(dim=1)
        maps = torch.stack([self.maps[nearest], self.lower_maps[nearest]], dim=1)
        lips = landmarks[:, [62, 66]] - landmarks[:, MOUTH.anchors]
        places = to_upright(lips / distance[:, None, None], across)
        places = places - places.new_tensor(TEETH_CENTRES)
        places[..., 1] += places.new_tensor(below_lips)
        shifts = places / places.new_tensor(TEETH_REACH)
        shifts[:, 1, 1] = shifts[:, 1, 1].clamp_max(LOWEST_EDGE)
        return _moved(maps.flatten(0, 1), shifts.flatten(0, 1)).reshape(maps.shape)


def _moved(maps: Tensor, shifts: Tensor) -> Tensor:
    """Move `[N, 4, 128, 256]` by `shifts` `[N, 2]`, in half sizes; what comes in is zero."""
    moves = torch.eye(2, 3).to(maps).repeat(len(maps), 1, 1)
    moves[:, :, 2] = -shifts
    grid = F.affine_grid(moves, list(maps.shape), align_corners=False)
    return F.grid_sample(maps, grid, padding_mode="zeros", align_corners=False)


def lowest_row(opacity: Tensor) -> Tensor:
    """Return `[B]`: how far down maps `[B, 128, 256]` have front teeth, in half heights, or -1."""
    middle = opacity.shape[2] // 2
    rows = opacity[:, :, middle - EDGE_COLUMNS : middle + EDGE_COLUMNS].amax(dim=2)
    height = torch.linspace(-1, 1, rows.shape[1]).to(rows)
    return torch.where(rows > 0.5, height, -1.0).amax(dim=1)


def highest_row(opacity: Tensor) -> Tensor:
    """Return `[B]`: how far up maps `[B, 128, 256]` have front teeth, in half heights, or 1."""
    middle = opacity.shape[2] // 2
    front = opacity[:, :, middle - EDGE_COLUMNS : middle + EDGE_COLUMNS]
    return -lowest_row(front.flip(1))


def tooth_area(teeth: Tensor, colour: Tensor, skin: Tensor) -> Tensor:
    """Return `[B]`: texels of the upper map that look like teeth, for what `read_teeth` gave.

    `skin` is the `[B, COMPLEXION]` of `models.complexion`: teeth are less red than the lips.
    """
    return (tooth_likeness(teeth, colour, skin) * teeth[:, 0, 3]).sum(dim=(1, 2))


def tooth_likeness(
    teeth: Tensor, colour: Tensor, skin: Tensor, light: float = TOOTH_LIGHT
) -> Tensor:
    """Return `[B, 128, 256]`: 1 where the upper map has the colour of a tooth, and that light."""
    filmed = teeth[:, 0, :3] * colour[:, :, None, None]
    limit = TOOTH_REDNESS * _redness(skin[:, 4:].exp()) + TOOTH_MARGIN
    redness = _redness(filmed)
    bright = teeth[:, 0, :3].mean(dim=1) > light
    lit = colour.mean(dim=1) > ENAMEL_LIGHT * skin[:, 0].exp()
    return ((redness < limit[:, None, None]) & bright & lit[:, None, None]).float()


def surely_enamel(colour: Tensor, skin: Tensor) -> bool:
    """Return whether the brightest `[1, 3]` between lips is enamel, and not a lip in the light,
    beside `skin` `[1, COMPLEXION]`.
    """
    limit = (ENAMEL_REDNESS * _redness(skin[:, 4:].exp())).clamp_min(GREY)
    return bool((_redness(colour) < limit).all())


def _redness(colours: Tensor) -> Tensor:
    """Return how red colours `[B, 3, ...]` are, `[B, ...]`: red above green as a share of light."""
    return (colours[:, 0] - colours[:, 1]) / colours.sum(dim=1).clamp_min(0.05)
