"""The edges of both lips as lines, denser than the landmarks."""

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from models.landmarks_to_video.face_regions import mean_height
from models.landmarks_to_video.upright import Axes, face_frame

UPPER_SHARES = ((0.64, -0.08, -0.30, 0.04), (0.79, 0.14, -0.19, -0.19), (1.02, 0.19, -0.17, -0.22))
LOWER_SHARES = ((-0.30, 0.78, 0.21, -0.40), (-0.13, 1.11, 0.07, -0.47), (0.07, 1.18, -0.09, -0.32))
"""Three points of the inner lip between a corner and its neighbour, from the corner inwards: shares
of the corner's distance to the upper, lower, middle upper and middle lower inner lip point. Fitted
to Face Mesh's own points on 662 portraits, which they meet within 0.15 to 0.33 px in the mean."""
OUTER_UPPER_SHARES = ((0.95, -0.64, 0.17, -0.02), (1.26, -0.60, 0.14, -0.01))
OUTER_LOWER_SHARES = ((1.45, -1.39, 0.45, -0.01), (1.83, -1.37, 0.39, 0.00))
"""The same for two points of the outer lip: shares of the corner's distance to the next three
points of its lip, up to the middle, and to the other lip's middle. Fitted to Face Mesh's own points
on three in four of 1322 portraits; on the others, they meet them within 0.10 to 0.14 px.
"""
APART = 0.1
"""Pixels that points of a line are taken to lie apart sideways, at least."""
DEGREE = 4
"""Degree of the polynomial that evens a line."""
RIDGE = 1e-4
"""Added to its normal equations, so that they are solvable where all points coincide."""
NOSE_BASE = 33
SAMPLES = 128
"""Heights of a smooth line that are computed; those between them are interpolated."""


@dataclass(frozen=True)
class LipLines:
    """Edges of both lips, `[B, 11, 2]` px each, from the viewer's left corner on."""

    upper: Tensor
    lower: Tensor

    @property
    def height(self) -> Tensor:
        """Mean height `[B]` of the opening between them, px."""
        return mean_height(torch.cat([self.upper, self.lower[:, 1:-1].flip(1)], dim=1))


@dataclass(frozen=True)
class UprightLips:
    """The inner lips of a face in axes along and across the eyes' line, from the lips' middle.

    interocular: `[B]` px; height: `[B]` of the opening, px.
    upper, lower: the lips' edges, `[B, 11, 2]` px, from the viewer's left corner on.
    corners: `[B, 2]` px, left and right.
    nose: `[B, 2]` px, its base, which lies still on the skull.
    """

    interocular: Tensor
    height: Tensor
    upper: Tensor
    lower: Tensor
    corners: Tensor
    nose: Tensor
    _middle: Tensor
    _axes: Axes

    @classmethod
    def of(cls, landmarks: Tensor) -> Self:
        """Turn the inner lips of `[B, 79, 2]` px upright."""
        interocular, _ = face_frame(landmarks)
        axes = Axes.of(landmarks)
        middle = landmarks[:, 60:68].mean(dim=1, keepdim=True)
        lines = lip_lines(landmarks)
        upper, lower, corners, nose = (
            axes.enter(points - middle)
            for points in (
                lines.upper,
                lines.lower,
                landmarks[:, [60, 64]],
                landmarks[:, [NOSE_BASE]],
            )
        )
        height = lines.height
        return cls(interocular, height, upper, lower, corners[..., 0], nose[:, 0], middle, axes)

    def from_crop(self, places: Tensor) -> Tensor:
        """Express places of the crop `[B, M, 2]` px in these axes."""
        return self._axes.enter(places - self._middle)

    def to_crop(self, x: Tensor, y: Tensor) -> Tensor:
        """Return where in the crop places `[B, M]` of these axes lie, `[B, M, 2]` px."""
        return self._axes.leave(torch.stack([x, y], dim=-1)) + self._middle

    @property
    def down(self) -> Tensor:
        """One px down in these axes, `[B, 1, 2]` px of the crop."""
        return self._axes.down

    def edges(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the heights `[B, M]` of the upper and the lower lip's edge at `x` `[B, M]`."""
        return smooth_heights(self.upper, self.lower, x)


def lip_lines(landmarks: Tensor) -> LipLines:
    """Return the lines through the inner lips of `[B, 79, 2]`, denser than the landmarks."""
    towards = (61, 67, 62, 66), (63, 65, 62, 66)
    upper = _line(landmarks, (60, 64), towards, [61, 62, 63], UPPER_SHARES)
    lower = _line(landmarks, (60, 64), towards, [67, 66, 65], LOWER_SHARES)
    return LipLines(upper, lower)


def outer_lip_lines(landmarks: Tensor) -> LipLines:
    """Return the lines through the outer lips of `[B, 79, 2]`, denser than the landmarks."""
    above, below = (((49, 50, 51, 57), (53, 52, 51, 57)), ((59, 58, 57, 51), (55, 56, 57, 51)))
    upper = _line(landmarks, (48, 54), above, [49, 50, 51, 52, 53], OUTER_UPPER_SHARES)
    lower = _line(landmarks, (48, 54), below, [59, 58, 57, 56, 55], OUTER_LOWER_SHARES)
    return LipLines(upper, lower)


def _line(
    landmarks: Tensor,
    corners: tuple[int, int],
    towards: tuple[tuple[int, ...], tuple[int, ...]],
    middle: list[int],
    shares: tuple[tuple[float, ...], ...],
) -> Tensor:
    """Return a line `[B, K, 2]` from the left to the right corner, through points in the `middle`.

    Beside either corner, it has points at `shares` of its distances `towards` four landmarks.
    """
    ends = landmarks[:, corners, None]
    offsets = landmarks[:, towards] - ends
    # Not as a matrix product: autocast would round places to bfloat16.
    weights = landmarks.new_tensor(shares)[..., None]
    left, right = (ends + (weights * offsets[:, :, None]).sum(dim=3)).unbind(dim=1)
    return torch.cat([ends[:, 0], left, landmarks[:, middle], right.flip(1), ends[:, 1]], dim=1)


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


def smooth_heights(upper: Tensor, lower: Tensor, across: Tensor) -> tuple[Tensor, Tensor]:
    """Return the heights `[B, M]` of smooth lines through `[B or 1, K, 2]`, left to right, at
    places `[B, M]`.

    They never swing beyond their points: pieces are cubic, with the slopes of Fritsch and Butland
    (SIAM J. Sci. Stat. Comput. 5, 1984).
    """
    lines = torch.stack([upper, lower], dim=1)
    places = [lines[..., 0, 0]]
    for place in lines[..., 1:, 0].unbind(dim=-1):
        places.append(torch.maximum(place, places[-1] + APART))
    x = torch.stack(places, dim=-1)
    heights = _cubic(x, lines[..., 1].contiguous())
    # In place: with many places, memory for each step would take longer than the step.
    place = (across[:, None] - x[..., :1]).div_(x[..., -1:] - x[..., :1])
    place.mul_(SAMPLES - 1).clamp_(0, SAMPLES - 1)
    before = place.floor().clamp_max_(SAMPLES - 2)
    sample = before.long()
    heights = heights.expand(len(across), -1, -1)
    low = heights.gather(2, sample)
    above, below = low.lerp_(heights.gather(2, sample + 1), place.sub_(before)).unbind(dim=1)
    return above, below


def even_height(line: Tensor) -> Tensor:
    """Return the heights `[B, K]` of the polynomial nearest to a line `[B, K, 2]`, at its points.

    It passes through both ends.
    """
    x, y = line.unbind(dim=-1)
    share = (x - x[:, :1]) / (x[:, -1:] - x[:, :1]).clamp_min(1)
    chord = torch.lerp(y[:, :1], y[:, -1:], share)
    place = 2 * share - 1
    powers = torch.stack([place**power for power in range(DEGREE - 1)], dim=-1)
    parts = powers * (1 - place.square())[..., None]
    with torch.autocast(line.device.type, enabled=False):
        turned = parts.transpose(1, 2)
        squares = turned @ parts + RIDGE * torch.eye(DEGREE - 1, device=line.device)
        factors = torch.linalg.solve(squares, turned @ (y - chord)[..., None])
        even: Tensor = chord + (parts @ factors)[..., 0]
    return even


def _cubic(x: Tensor, y: Tensor) -> Tensor:
    """Return `[..., SAMPLES]` heights, evenly spaced, of the cubic through `x`, `y` `[..., K]`."""
    steps = x.diff(dim=-1)
    rates = y.diff(dim=-1) / steps
    before, after, rate, next_rate = (
        steps[..., :-1],
        steps[..., 1:],
        rates[..., :-1],
        rates[..., 1:],
    )
    mean = 3 * (before + after) / ((2 * after + before) / rate + (after + 2 * before) / next_rate)
    inner = torch.where(rate * next_rate > 0, mean, 0.0)
    slopes = torch.cat([rates[..., :1], inner, rates[..., -1:]], dim=-1)
    wanted = torch.lerp(x[..., :1], x[..., -1:], torch.linspace(0, 1, SAMPLES).to(x))
    piece = (torch.searchsorted(x, wanted, right=True) - 1).clamp(0, x.shape[-1] - 2)
    start, step, low, high, enter, leave = (
        knots.gather(-1, piece) for knots in (x, steps, y, y[..., 1:], slopes, slopes[..., 1:])
    )
    t = (wanted - start) / step
    rise = high - low
    bend = (enter + leave) * step - 2 * rise
    return low + t * (enter * step + t * (rise - enter * step - bend + t * bend))
