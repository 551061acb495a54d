"""What the shape of the lips says about the mouth behind them: a smile, a rounded mouth, a jaw."""

from dataclasses import dataclass
from typing import Self

from torch import Tensor

from models.landmarks_to_video.face_regions import MOUTH
from models.landmarks_to_video.ramps import rise
from models.landmarks_to_video.upright import face_frame

SMILE_FROM, SMILE_TO = 0.76, 0.90
"""Widths of the inner lips, in inter-ocular distances, from which and at which a smile bares teeth;
people's resting lips have 0.67 to 0.76.
"""
LIFT = 1.5
"""Width that a unit of distance counts for by which the corners rise. Of the pairs of 49 smiles and
167 spoken mouths, width alone orders 89% rightly, and with the corners 96%.
"""
SMILE_HEIGHT, JAW_DROPPED = 0.28, 0.40
"""Heights of the opening, in inter-ocular distances, up to which a smile alone parts the lips, and
from which the jaw does.
"""
RELAXED = 0.1, 0.3
"""By how much lips are narrower than in a portrait, and their corners lower, counted alike, from
which on its smile goes, and where it has gone: for 51 people, it was 0.27 from smile to neutral.
"""
ROUNDED, SPREAD = 0.52, 0.66
"""Widths of the inner lips, in inter-ocular distances: of a rounded mouth, and of any other."""
HIDDEN, HIDDEN_FROM, HIDDEN_TO = 0.035, 0.16, 0.30
"""How much of the upper teeth a dropped jaw hides, and between which heights of the opening; all in
inter-ocular distances. Tracked upper lips rise there, but filmed teeth do not appear.
"""
DRAWN_DOWN = 0.115
"""By how much, in inter-ocular distances, the lower lip may near the chin before the teeth behind
it drop further than that: film shows no more than the crowns.
"""


@dataclass(frozen=True)
class LipShape:
    """How far lips smile and how far they are rounded, `[B, 1, 1, 1]` each, in 0-1."""

    smile: Tensor
    rounding: Tensor

    @classmethod
    def of(cls, landmarks: Tensor, rest: Tensor | None = None) -> Self:
        """Measure the lips of `[B, 79, 2]`, beside the portrait's, `rest`."""
        shapes = smile(landmarks, rest), rounding(landmarks)
        return cls(*(shape[:, None, None, None] for shape in shapes))


def smile(landmarks: Tensor, rest: Tensor | None = None) -> Tensor:
    """Return `[B]` in 0-1: how far lips `[B, 79, 2]` are drawn back from teeth that stay shut.

    Corners that rise above those of the portrait, `rest` `[B, 79, 2]`, tell a smile from a vowel.
    """
    width, height = _inner_lips(landmarks)
    if rest is not None:
        width = width + LIFT * (_corners(rest) - _corners(landmarks))
    return rise(width, SMILE_FROM, SMILE_TO) * (1 - rise(height, SMILE_HEIGHT, JAW_DROPPED))


def broadness(landmarks: Tensor) -> Tensor:
    """Return `[B]` in 0-1: how far lips `[B, 79, 2]` are wider than those of a face at rest."""
    width, _ = _inner_lips(landmarks)
    return rise(width, SMILE_FROM, SMILE_TO)


def smile_gone(landmarks: Tensor, portrait: Tensor) -> Tensor:
    """Return `[B]` in 0-1: how far lips `[B, 79, 2]` have come to rest from a portrait's smile."""
    (width, _), (smiling, _) = _inner_lips(landmarks), _inner_lips(portrait)
    fallen = smiling - width + LIFT * (_corners(landmarks) - _corners(portrait))
    return rise(fallen, *RELAXED)


def rounding(landmarks: Tensor) -> Tensor:
    """Return `[B]` in 0-1: how far lips `[B, 79, 2]` are drawn together, as for /u/ and /w/."""
    width, _ = _inner_lips(landmarks)
    return 1 - rise(width, ROUNDED, SPREAD)


def hidden_teeth(landmarks: Tensor, rest: Tensor | None = None) -> Tensor:
    """Return `[B]`: how much less the upper teeth of `[B, 79, 2]` show because the jaw has dropped,
    in inter-ocular distances.
    """
    _, height = _inner_lips(landmarks)
    return HIDDEN * rise(height, HIDDEN_FROM, HIDDEN_TO) * (1 - smile(landmarks, rest))


def dropped_teeth(landmarks: Tensor, rest: Tensor | None = None) -> Tensor:
    """Return `[B]`: how much further than the chin the lower teeth of `[B, 79, 2]` drop, in
    inter-ocular distances: lips drawn down from the portrait's, `rest`, bare their crowns alone.
    """
    if rest is None:
        return landmarks.new_zeros(len(landmarks))
    return (_above_chin(rest) - _above_chin(landmarks) - DRAWN_DOWN).clamp_min(0)


def lower_lip(landmarks: Tensor) -> Tensor:
    """Return `[B]`: how thick the lower lip of `[B, 79, 2]` is, in inter-ocular distances."""
    distance, _ = face_frame(landmarks)
    thickness: Tensor = (landmarks[:, 57] - landmarks[:, 66]).norm(dim=-1)
    return thickness / distance


def _inner_lips(landmarks: Tensor) -> tuple[Tensor, Tensor]:
    """Return width and height `[B]` of the opening, in inter-ocular distances."""
    distance, _ = face_frame(landmarks)
    width = (landmarks[:, 64] - landmarks[:, 60]).norm(dim=-1)
    height = (landmarks[:, 66] - landmarks[:, 62]).norm(dim=-1)
    return width / distance, height / distance


def _corners(landmarks: Tensor) -> Tensor:
    """Return `[B]`: how far the mouth's corners lie below the nose, in inter-ocular distances."""
    nose = landmarks[:, MOUTH.anchors[0]]
    return _below(nose, (landmarks[:, 60] + landmarks[:, 64]) / 2, landmarks)


def _above_chin(landmarks: Tensor) -> Tensor:
    """Return `[B]`: how far the lower lip lies above the chin, in inter-ocular distances."""
    return _below(landmarks[:, 66], landmarks[:, MOUTH.anchors[1]], landmarks)


def _below(start: Tensor, end: Tensor, landmarks: Tensor) -> Tensor:
    """Return `[B]`: how far down a face it is from one `[B, 2]` to the other, in inter-ocular
    distances.
    """
    distance, across = face_frame(landmarks)
    x, y = (end - start).unbind(-1)
    return (y * across[:, 0] - x * across[:, 1]) / distance
