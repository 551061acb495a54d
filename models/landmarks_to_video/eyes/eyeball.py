"""An eyeball that does not deform: the portrait's own eye, moved as a whole."""

from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

from models.landmarks_to_video.eyes.lid_edges import edge_heights
from models.landmarks_to_video.upright import downwards, face_frame, to_upright
from models.landmarks_to_video.warping import sample

UPPER, LOWER = ((36, 37, 38, 39), (42, 43, 44, 45)), ((36, 41, 40, 39), (42, 47, 46, 45))
"""Edges of the lids from corner to corner, the viewer's left eye first."""
LIDS = UPPER[0] + LOWER[0], UPPER[1] + LOWER[1]
EYE_CORNERS = tuple((lid[0], lid[-1]) for lid in UPPER)
IRISES = (68,), (69,)
RIM, TOP = 1.0, 1.8
"""Px at the lower and the upper lid's edge that are not taken for the eyeball."""
CORNER = 2.0
"""Px from an eye's corners at which its white is not read."""


def of_eyes(faces: Tensor, points: tuple[tuple[int, ...], ...]) -> Tensor:
    """Return the landmarks `[E, K, 2]` of eyes in faces `[E, 79, 2]`, left eyes before right."""
    return torch.cat([half[:, own] for half, own in zip(faces.chunk(2), points, strict=True)])


@dataclass(frozen=True)
class Eye:
    """Eyes over their windows: edges of lids at each pixel's column, upright and px, `[E, M]`.

    The first half of the eyes are the viewer's left ones, the second half the right ones.

    within: how far it is to the nearer corner. corners: where those are, `[E, 1]` each.
    """

    place: Tensor
    upper: Tensor
    lower: Tensor
    within: Tensor
    corners: tuple[Tensor, Tensor]

    @classmethod
    def of(cls, faces: Tensor, place: Tensor, centre: Tensor) -> Self:
        """Read lids of `[E, 79, 2]` at upright places `[E, M, 2]` from `centre` `[E, 1, 2]`."""
        _, across = face_frame(faces)
        edges = to_upright(of_eyes(faces, LIDS) - centre, across).reshape(len(faces), 2, -1, 2)
        corners = edges[:, 0, :1, 0], edges[:, 0, -1:, 0]
        x = place[..., 0]
        within = torch.minimum(x - corners[0], corners[1] - x)
        upper, lower = edge_heights(edges, x).unbind(dim=1)
        return cls(place, upper, torch.maximum(lower, upper), within, corners)

    def parted(self) -> Tensor:
        """Return `[E, M]` in 0-1: whether the lids are apart."""
        return (2 * (self.lower - self.upper)).clamp(0, 1)

    def narrowed(self, share: Tensor) -> Self:
        """Return the eye with its upper lid down on the lower one but for a share `[E, 1]`."""
        upper = torch.lerp(self.lower, self.upper, share)
        return replace(self, upper=upper)

    def depth(self) -> Tensor:
        """Return how deep in the opening each pixel lies, px; negative outside."""
        y = self.place[..., 1]
        return torch.minimum(torch.minimum(y - self.upper, self.lower - y), self.within)

    def nearest_inside(self) -> Tensor:
        """Return the height of the eyeball nearest to each place, `[E, M]`."""
        middle = (self.upper + self.lower) / 2
        highest, lowest = (self.upper + TOP).minimum(middle), (self.lower - RIM).maximum(middle)
        return self.place[..., 1].maximum(highest).minimum(lowest)


def read_eyeball(
    image: Tensor,
    source: Tensor,
    target: Tensor,
    cells: Tensor,
    shift: Tensor,
    scale: int,
) -> Tensor:
    """Return `[E, 3, M]`: the colours of the portrait's eyeball where its iris is in the target.

    What the portrait's lids hide is read as far from the iris' centre, to the left and to the right
    along the lid, so that the iris is round.

    Args:
        image: `[E, 3, H, W]` the portrait or a cut-out at `shift` `[E, 2]`.
        source, target: `[E, 79, 2]` the portrait's and the wanted landmarks, px of the crop.
        cells: `[E, M, 2]` places in the target, px of the crop.
        shift: left and top of the cut-out, px.
        scale: pixels of the image for each of the crop.
    """
    (size, across), (wanted, turned) = face_frame(source), face_frame(target)
    offset = to_upright(cells - of_eyes(target, IRISES), turned) * (size / wanted)[:, None, None]
    centre = of_eyes(source, IRISES)
    down = downwards(across)[:, None]
    x, y = offset.unbind(dim=-1)
    seen = Eye.of(source, offset, centre).nearest_inside()
    aside = (x.square() + y.square() - seen.square()).clamp_min(0).sqrt()
    corners = to_upright(of_eyes(source, EYE_CORNERS) - centre, across)[..., 0]
    # Both sides at once, one after the other along M.
    along = torch.cat([-aside, aside], dim=1)
    along = along.maximum(corners[:, :1] + CORNER).minimum(corners[:, 1:] - CORNER)
    along = torch.where((y == seen).repeat(1, 2), x.repeat(1, 2), along)
    there = Eye.of(source, torch.stack([along, seen.repeat(1, 2)], dim=-1), centre)
    height = there.nearest_inside()
    places = centre + along[..., None] * across[:, None] + height[..., None] * down
    read = sample(image, (places - shift[:, None].to(places))[:, None], scale)[:, :, 0]
    left, right = read.chunk(2, dim=2)
    rightwards = ((x / aside.clamp_min(0.1)).clamp(-1, 1) + 1) / 2
    return torch.lerp(left, right, rightwards[:, None])
