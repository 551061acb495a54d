"""A portrait's own upper teeth, and the borrowed row that stands behind and beside them.

To the viewer, both are one row. The borrowed one goes where the own teeth go. The own ones give way
to it where the portrait shows so few that they would stand alone in a wider opening.
"""

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from models.landmarks_to_video.edges import to_upright
from models.landmarks_to_video.face_regions import MOUTH, face_frame
from models.landmarks_to_video.lip_lines import UprightLips
from models.landmarks_to_video.parting import OpenMouth


@dataclass(frozen=True)
class OwnRow:
    """How the borrowed upper row goes with a portrait's own teeth.

    moved: `[B, 2]` inter-ocular distances to the right and down, from its place below the nose.
    replaces: whether it stands in the place of the own teeth.
    """

    moved: Tensor
    replaces: bool

    @classmethod
    def of(cls, mouth: OpenMouth, source: Tensor, target: Tensor) -> Self:
        """Compare the portrait's and the wanted landmarks, `[B, 79, 2]` px."""
        shown, wanted = UprightLips.of(source), UprightLips.of(target)
        before, after = shown.height / shown.interocular, wanted.height / wanted.interocular
        shift = _lips_below_nose(target) - _lips_below_nose(source)
        sunk = shift[:, 1].clamp_min(0)
        stretched = ((after + sunk) / before.clamp_min(1e-3)).clamp(1, mouth.upper.give)
        down = shift[:, 1] - sunk + (stretched - 1) * mouth.tips
        return cls(torch.stack([shift[:, 0], down], dim=-1), mouth.borrows_upper)


def _lips_below_nose(landmarks: Tensor) -> Tensor:
    """Return `[B, 2]`: how far right of the nose the middle between the lips' corners lies, and how
    far below it the upper lip's edge, in inter-ocular distances.
    """
    distance, across = face_frame(landmarks)
    places = torch.stack([landmarks[:, [60, 64]].mean(dim=1), landmarks[:, 62]], dim=1)
    places = places - landmarks[:, [MOUTH.anchors[0]]]
    middle, edge = to_upright(places / distance[:, None, None], across).unbind(dim=1)
    return torch.stack([middle[:, 0], edge[:, 1]], dim=-1)
