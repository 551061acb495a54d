"""The inner edges of both lips as lines, denser than the landmarks."""

from dataclasses import dataclass

import torch
from torch import Tensor

from models.landmarks_to_video.face_regions import mean_height

UPPER_SHARES = ((0.64, -0.08, -0.30, 0.04), (0.79, 0.14, -0.19, -0.19), (1.02, 0.19, -0.17, -0.22))
LOWER_SHARES = ((-0.30, 0.78, 0.21, -0.40), (-0.13, 1.11, 0.07, -0.47), (0.07, 1.18, -0.09, -0.32))
"""Three points of the inner lip between a corner and its neighbour, from the corner inwards: shares
of the corner's distance to the upper, lower, middle upper and middle lower inner lip point. Fitted
to Face Mesh's own points on 662 portraits, which they meet within 0.15 to 0.33 px in the mean."""


@dataclass(frozen=True)
class LipLines:
    """The inner edges of both lips, `[B, 11, 2]` px each, from the viewer's left corner on."""

    upper: Tensor
    lower: Tensor

    @property
    def height(self) -> Tensor:
        """Mean height `[B]` of the opening between them, px."""
        return mean_height(torch.cat([self.upper, self.lower[:, 1:-1].flip(1)], dim=1))


def lip_lines(landmarks: Tensor) -> LipLines:
    """Return the lines through the inner lips of `[B, 79, 2]`, denser than the landmarks."""
    sides = []
    for shares, left, right, middle in (
        (UPPER_SHARES, (61, 67), (63, 65), [61, 62, 63]),
        (LOWER_SHARES, (61, 67), (63, 65), [67, 66, 65]),
    ):
        from_left = _between(landmarks, 60, (*left, 62, 66), shares)
        from_right = _between(landmarks, 64, (*right, 62, 66), shares)
        ends = landmarks[:, [60]], landmarks[:, [64]]
        line = [ends[0], from_left, landmarks[:, middle], from_right.flip(1), ends[1]]
        sides.append(torch.cat(line, dim=1))
    return LipLines(*sides)


def _between(
    landmarks: Tensor, corner: int, points: tuple[int, ...], shares: tuple[tuple[float, ...], ...]
) -> Tensor:
    base = landmarks[:, [corner]]
    offsets = landmarks[:, list(points)] - base
    return base + landmarks.new_tensor(shares) @ offsets


def line_height(line: Tensor, across: Tensor) -> Tensor:
    """Return the height `[B, M]` of a line `[B, K, 2]`, left to right, at places `[B, M]`."""
    x, y = line[..., 0].cummax(dim=1).values, line[..., 1]
    slopes = 1 / x.diff(dim=1).clamp_min(1e-3)
    starts, rises = -x[:, :-1] * slopes, y.diff(dim=1)
    height = y[:, :1]
    # A ramp for each piece of the line is faster than searching for the piece of each place.
    for piece in range(rises.shape[1]):
        start, slope, rise = (part[:, piece, None] for part in (starts, slopes, rises))
        height = torch.addcmul(height, torch.addcmul(start, across, slope).clamp_(0, 1), rise)
    return height
