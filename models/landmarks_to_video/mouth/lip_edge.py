"""Where the lower lip of an open portrait really ends.

Trackers see the edge of a lip that rests on teeth too low: what rolls inward passes for the mouth's
inside. There it would be stretched as the mouth opens, and covered as it closes.
"""

from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor
from torch.nn import functional as F

from models.landmarks_to_video.mouth.lip_lines import UprightLips
from models.landmarks_to_video.mouth.open_mouth import OpenMouth
from models.landmarks_to_video.mouth.teeth_line import MIDDLE
from models.landmarks_to_video.mouth.tooth_rows import (
    LEAST,
    STRIP_GONE,
    STRIP_UNTIL,
    Row,
    heights,
)
from models.landmarks_to_video.ramps import smooth_step
from models.landmarks_to_video.upright import downwards, face_frame
from models.landmarks_to_video.warping import sample

LOWER_INNER = (67, 66, 65)
"""The lower inner lip's landmarks, from the viewer's left on."""
COLUMNS, STEP = 64, 0.25
"""Columns of a mouth in which its lip is looked for; pixels between the places looked at."""
BELOW, ABOVE = (2.5, 0.75), 5.0
"""Pixels below the landmarks' edge where a lip is sure to be; and above it up to which it may
reach: what reaches further is a tongue.
"""
SMOOTHED = 9
"""Columns over which the colour of the lip is averaged."""
DARK = 0.6
"""Light, beside the lip's, below which it is the mouth's inside."""
TOOTH_LIGHT, UNLIKE = 0.8, 0.1
"""Light of a tooth beside the lip's, and by how much less red it is, in logs; both at least."""
BRIGHTEST = 0.1
"""Share of what lies between the lips that is as light as teeth."""
SIDES, ENOUGH, MOST = 16, 0.5, 0.5
"""Columns at either side that do not count, where the lip tapers; share of the others that must
meet teeth beyond the lip; quantile of how far it reaches there, as light on it passes for a tooth.
"""
SOFT = 1.0
"""Pixels of that which are the soft edge of the teeth."""
OPEN = (2.0, 3.0)
"""Height of the opening, px, from which it is looked at, and from which in full."""


@dataclass(frozen=True)
class LowerLipEdge:
    """How much higher than the landmarks a portrait's lower lip ends.

    rise: `[1]` in the middle, in inter-ocular distances.
    gap: `[1]` between the portrait's lips there, alike.
    """

    rise: Tensor
    gap: Tensor

    @property
    def on_teeth(self) -> bool:
        """Whether the lip rests on teeth."""
        return bool(self.rise.any())

    @classmethod
    def read(cls, image: Tensor, landmarks: Tensor, scale: int) -> Self:
        """Read the edge from a portrait `[1, 3, scale * 256, scale * 256]`, 0-1, with landmarks
        `[1, 79, 2]` px of a 256 px crop.
        """
        lips = UprightLips.of(landmarks)
        found, met = (part[SIDES : COLUMNS - SIDES] for part in _above_the_edge(image, lips, scale))
        gap = _gap(landmarks, lips.down[:, 0]) / lips.interocular
        asked = found[met]
        if len(asked) < ENOUGH * len(found):
            return cls(torch.zeros_like(gap), gap)
        rise = (asked.quantile(MOST)[None] - SOFT).clamp_min(0) * smooth_step(lips.height, *OPEN)
        return cls(rise / lips.interocular, gap)

    def raised(self, landmarks: Tensor) -> Tensor:
        """Return landmarks `[B, 79, 2]` px with the lower lip's edge where the portrait has it.

        The less the lips are open beside the portrait's, the less is seen of what rolls inward.
        """
        interocular, across = face_frame(landmarks)
        down = downwards(across)
        share = (_gap(landmarks, down) / interocular / self.gap.clamp_min(1e-3)).clamp(0, 1)
        raised = landmarks.clone()
        up = share * interocular * self.rise
        raised[:, LOWER_INNER] -= (up[:, None] * down)[:, None]
        return raised


def _gap(landmarks: Tensor, down: Tensor) -> Tensor:
    """Return `[B]` px how far apart the lips of `[B, 79, 2]` are in the middle."""
    gap: Tensor = ((landmarks[:, 66] - landmarks[:, 62]) * down).sum(dim=-1)
    return gap


def within(mouth: OpenMouth, landmarks: Tensor) -> OpenMouth:
    """Return what a portrait shows between lips whose lower edge is raised, `[1, 79, 2]` px.

    Its teeth were read within the lips as tracked: what rolls inward marks where they end.
    """
    lips = UprightLips.of(landmarks)
    before, after = (heights(part) for part in (mouth.lips, lips))
    line = (mouth.line * before / after.clamp_min(0.1)).clamp_max(1)
    left = (after * (1 - line))[0, MIDDLE].mean()
    lower = mouth.lower
    if mouth.upper.shown and float(left) < LEAST and not torch.equal(before, after):
        nowhere = torch.zeros_like(lower.seen)
        lower = Row(nowhere, gone=nowhere, soft=(STRIP_UNTIL, STRIP_GONE))
    return replace(mouth, lips=lips, line=line, lower=lower)


def _above_the_edge(image: Tensor, lips: UprightLips, scale: int) -> tuple[Tensor, Tensor]:
    """Return `[COLUMNS]` px how far the lip reaches above the landmarks' edge, and where it meets
    teeth there: nowhere if the lips are closed.
    """
    shares = (torch.arange(COLUMNS, device=image.device) + 0.5) / COLUMNS
    x = torch.lerp(lips.corners[:, :1], lips.corners[:, 1:], shares)
    upper, lower = lips.edges(x)
    above = torch.arange(-BELOW[0], ABOVE + 2 * STEP, STEP, device=image.device)[:, None]
    y = lower[:, None] - above
    places = lips.to_crop(x[:, None].expand_as(y).flatten(1), y.flatten(1))
    colours = sample(image, places.reshape(1, *y.shape[1:], 2), scale)[0]
    redness, light = _redness(colours), colours.mean(dim=0)
    sure = colours[:, : round((BELOW[0] - BELOW[1]) / STEP)].mean(dim=1)
    margin = SMOOTHED // 2
    lip = F.avg_pool1d(F.pad(sure, (margin, margin), mode="replicate"), SMOOTHED, 1)
    red, usual = _redness(lip), lip.mean(dim=0)
    between = (above >= 0) & (above < (lower - upper))
    if not between.any():
        return torch.zeros_like(upper[0]), torch.zeros_like(upper[0], dtype=torch.bool)
    bright = light[between].quantile(1 - BRIGHTEST)
    pale = redness[between & (light >= bright)].mean()
    limit = (red + pale) / 2
    is_lip = (redness > limit) & (light > DARK * usual)
    start = round(BELOW[0] / STEP)
    height = is_lip[start:].int().cumprod(dim=0).sum(dim=0)
    beyond = (start + height + 1).clamp_max(len(above) - 1)[None]
    met = (redness.gather(0, beyond)[0] < limit) & (
        light.gather(0, beyond)[0] > TOOTH_LIGHT * usual
    )
    met &= (red - pale > UNLIKE) & (height * STEP < (lower - upper)[0])
    return height * STEP, met


def _redness(colours: Tensor) -> Tensor:
    """Return how much more red than green colours `[3, ...]` are, in logs."""
    red, green = colours[:2].clamp_min(0.02)
    redness: Tensor = (red / green).log()
    return redness
