"""An eyeball that does not deform: the portrait's own eye, moved as a whole."""

from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

from models.landmarks_to_video.edges import edge_height
from models.landmarks_to_video.upright import downwards, face_frame, to_upright
from models.landmarks_to_video.warping import sample

UPPER, LOWER = ((36, 37, 38, 39), (42, 43, 44, 45)), ((36, 41, 40, 39), (42, 47, 46, 45))
"""Edges of the lids from corner to corner, the viewer's left eye first."""
IRISES = (68, 69)
RIM, TOP = 1.0, 1.8
"""Px at the lower and the upper lid's edge that are not taken for the eyeball."""
CORNER = 2.0
"""Px from an eye's corners at which its white is not read."""


@dataclass(frozen=True)
class Eye:
    """One eye over a window: edges of its lids at each pixel's column, upright and px, `[B, M]`.

    within: how far it is to the nearer corner. corners: where those are, `[B, 1]` each.
    """

    place: Tensor
    upper: Tensor
    lower: Tensor
    within: Tensor
    corners: tuple[Tensor, Tensor]

    @classmethod
    def of(cls, landmarks: Tensor, eye: int, place: Tensor, centre: Tensor) -> Self:
        """Read the lids of `[B, 79, 2]` at upright places `[B, M, 2]` from `centre` `[B, 1, 2]`."""
        _, across = face_frame(landmarks)
        edges = [to_upright(landmarks[:, knots[eye]] - centre, across) for knots in (UPPER, LOWER)]
        x = place[..., 0]
        within = torch.minimum(x - edges[0][:, :1, 0], edges[0][:, -1:, 0] - x)
        upper, lower = (edge_height(knots, x) for knots in edges)
        corners = edges[0][:, :1, 0], edges[0][:, -1:, 0]
        return cls(place, upper, torch.maximum(lower, upper), within, corners)

    def parted(self) -> Tensor:
        """Return `[B, M]` in 0-1: whether the lids are apart."""
        return (2 * (self.lower - self.upper)).clamp(0, 1)

    def narrowed(self, share: Tensor) -> Self:
        """Return the eye with its upper lid down on the lower one but for a share `[B, 1]`."""
        upper = torch.lerp(self.lower, self.upper, share)
        return replace(self, upper=upper)

    def depth(self) -> Tensor:
        """Return how deep in the opening each pixel lies, px; negative outside."""
        y = self.place[..., 1]
        return torch.minimum(torch.minimum(y - self.upper, self.lower - y), self.within)

    def nearest_inside(self) -> Tensor:
        """Return the height of the eyeball nearest to each place, `[B, M]`."""
        middle = (self.upper + self.lower) / 2
        highest, lowest = (self.upper + TOP).minimum(middle), (self.lower - RIM).maximum(middle)
        return self.place[..., 1].maximum(highest).minimum(lowest)


def read_eyeball(
    image: Tensor,
    source: Tensor,
    target: Tensor,
    cells: Tensor,
    eye: int,
    shift: Tensor,
    scale: int,
) -> Tensor:
    """Return `[B, 3, M]`: the colours of the portrait's eyeball where its iris is in the target.

    What the portrait's lids hide is read as far from the iris' centre, to the left and to the right
    along the lid, so that the iris is round.

    Args:
        image: `[B, 3, H, W]` the portrait or a cut-out at `shift` `[B, 2]`.
        source, target: `[B, 79, 2]` the portrait's and the wanted landmarks, px of the crop.
        cells: `[B, M, 2]` places in the target, px of the crop.
        eye: 0 or 1, the viewer's left eye first.
        shift: left and top of the cut-out, px.
        scale: pixels of the image for each of the crop.
    """
    (size, across), (wanted, turned) = face_frame(source), face_frame(target)
    iris = IRISES[eye]
    offset = to_upright(cells - target[:, None, iris], turned) * (size / wanted)[:, None, None]
    centre = source[:, None, iris]
    down = downwards(across)[:, None]
    x, y = offset.unbind(dim=-1)
    seen = Eye.of(source, eye, offset, centre).nearest_inside()
    aside = (x.square() + y.square() - seen.square()).clamp_min(0).sqrt()
    corners = to_upright(source[:, (UPPER[eye][0], UPPER[eye][-1])] - centre, across)[..., 0]
    sides = []
    for along in (-aside, aside):
        along = along.maximum(corners[:, :1] + CORNER).minimum(corners[:, 1:] - CORNER)
        along = torch.where(y == seen, x, along)
        there = Eye.of(source, eye, torch.stack([along, seen], dim=-1), centre)
        height = there.nearest_inside()
        places = centre + along[..., None] * across[:, None] + height[..., None] * down
        sides.append(sample(image, (places - shift[:, None].to(places))[:, None], scale)[:, :, 0])
    right = ((x / aside.clamp_min(0.1)).clamp(-1, 1) + 1) / 2
    return torch.lerp(sides[0], sides[1], right[:, None])
