"""A portrait's own upper teeth, and the borrowed row that stands behind and beside them.

To the viewer, both are one row. The borrowed one goes where the own teeth go. The own ones give way
to it where they would stand alone: in an opening that bares more teeth than the portrait shows.
"""

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from models.landmarks_to_video.edges import to_upright
from models.landmarks_to_video.face_regions import MOUTH, face_frame
from models.landmarks_to_video.lip_lines import UprightLips
from models.landmarks_to_video.lip_shape import rise
from models.landmarks_to_video.parting import OpenMouth
from models.landmarks_to_video.teeth_placement import SHOWN_SHARE

STRIP, CROWNS = 0.075, 0.10
"""Heights of the own row, in inter-ocular distances: below the first it is a strip of crowns, which
gives way in every wide opening; the more it exceeds the second, the later it does in a wide smile.
"""
MISSING = 0.14
"""How far the own row ends before the mouth does, in inter-ocular distances, from which on any row
gives way; on both sides in the mean.
"""
WIDER, FEW, MANY, LATER = 0.025, 0.13, 0.22, 0.8
"""By how much an opening is higher than the portrait's before a row gives way whose half width is
FEW; from there to MANY, how much later that is for each unit of width. In inter-ocular distances.
"""
FADE, SURELY = 0.04, 6.0
"""Growth of the opening, in inter-ocular distances, over which one row passes into the other; how
many times faster it does as lips widen, lest a smile stay between the two.
"""


@dataclass(frozen=True)
class OwnRow:
    """How the borrowed upper row goes with a portrait's own teeth.

    moved: `[B, 2]` inter-ocular distances to the right and down, from its place below the nose.
    gone: `[B]` in 0-1, how far the own teeth have given way to it.
    """

    moved: Tensor
    gone: Tensor

    @classmethod
    def of(cls, mouth: OpenMouth, source: Tensor, target: Tensor) -> Self:
        """Compare the portrait's and the wanted landmarks, `[B, 79, 2]` px."""
        shown, wanted = UprightLips.of(source), UprightLips.of(target)
        before, after = shown.height / shown.interocular, wanted.height / wanted.interocular
        shift = _lips_below_nose(target) - _lips_below_nose(source)
        sunk = shift[:, 1].clamp_min(0)
        stretched = ((after + sunk) / before.clamp_min(1e-3)).clamp(1, mouth.upper.give)
        down = shift[:, 1] - sunk + (stretched - 1) * mouth.tips
        return cls(torch.stack([shift[:, 0], down], dim=-1), _gone(mouth, after - before, wanted))


def _gone(mouth: OpenMouth, wider: Tensor, lips: UprightLips) -> Tensor:
    """Return `[B]` in 0-1: how far own teeth have given way between lips of a wanted face.

    The opening is `wider` `[B]` than the portrait's, in inter-ocular distances.
    """
    half = (lips.corners[:, 1] - lips.corners[:, 0]) / lips.interocular / 2
    missing = SHOWN_SHARE * half - mouth.half - MISSING - max(mouth.tips - CROWNS, 0)
    needed = SURELY * missing.clamp_min(STRIP - mouth.tips)
    start = WIDER + LATER * (min(max(mouth.half, FEW), MANY) - FEW)
    return rise(torch.minimum(wider - start, needed), 0, FADE)


def _lips_below_nose(landmarks: Tensor) -> Tensor:
    """Return `[B, 2]`: how far right of the nose the middle between the lips' corners lies, and how
    far below it the upper lip's edge, in inter-ocular distances.
    """
    distance, across = face_frame(landmarks)
    places = torch.stack([landmarks[:, [60, 64]].mean(dim=1), landmarks[:, 62]], dim=1)
    places = places - landmarks[:, [MOUTH.anchors[0]]]
    middle, edge = to_upright(places / distance[:, None, None], across).unbind(dim=1)
    return torch.stack([middle[:, 0], edge[:, 1]], dim=-1)
