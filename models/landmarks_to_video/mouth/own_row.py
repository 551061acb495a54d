"""A portrait's own upper teeth, and the borrowed row that stands behind and beside them.

To the viewer, both are one row. The borrowed one goes where the own teeth go. The own ones give way
to it where the portrait shows so few that they would stand alone in a wider opening.
"""

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from models.landmarks_to_video.mouth.lip_lines import UprightLips
from models.landmarks_to_video.mouth.open_mouth import OpenMouth


@dataclass(frozen=True)
class OwnRow:
    """How the borrowed upper row goes with a portrait's own teeth.

    moved: `[B, 2]` inter-ocular distances to the right and down, from its place below the nose.
    replaces: whether it stands in the place of the own teeth.
    """

    moved: Tensor
    replaces: bool

    @classmethod
    def of(cls, mouth: OpenMouth, wanted: UprightLips) -> Self:
        """Compare the portrait's lips and the wanted ones."""
        shown = mouth.lips
        before, after = shown.height / shown.interocular, wanted.height / wanted.interocular
        shift = _lips_below_nose(wanted) - _lips_below_nose(shown)
        sunk = shift[:, 1].clamp_min(0)
        stretched = ((after + sunk) / before.clamp_min(1e-3)).clamp(1, mouth.upper.give)
        down = shift[:, 1] - sunk + (stretched - 1) * mouth.tips
        return cls(torch.stack([shift[:, 0], down], dim=-1), mouth.borrows_upper)


def _lips_below_nose(lips: UprightLips) -> Tensor:
    """Return `[B, 2]`: how far right of the nose the middle between the lips' corners lies, and how
    far below it the upper lip's edge, in inter-ocular distances.
    """
    middle = lips.upper.shape[1] // 2
    place = torch.stack([lips.corners.mean(dim=1), lips.upper[:, middle, 1]], dim=-1)
    return (place - lips.nose) / lips.interocular[:, None]
