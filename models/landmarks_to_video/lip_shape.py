"""What the shape of the lips says about the mouth behind them: a smile, a rounded mouth, a jaw."""

from torch import Tensor

from models.landmarks_to_video.face_regions import face_frame

SMILE_FROM, SMILE_TO = 0.76, 0.90
"""Widths of the inner lips, in inter-ocular distances, from which and at which a smile bares teeth;
people's resting lips have 0.67 to 0.76.
"""
SMILE_HEIGHT, JAW_DROPPED = 0.20, 0.28
"""Heights of the opening, in inter-ocular distances, up to which a smile alone parts the lips, and
from which the jaw does.
"""
ROUNDED, SPREAD = 0.52, 0.66
"""Widths of the inner lips, in inter-ocular distances: of a rounded mouth, and of any other."""
HIDDEN, HIDDEN_FROM, HIDDEN_TO = 0.035, 0.16, 0.30
"""How much of the upper teeth a dropped jaw hides, and between which heights of the opening; all in
inter-ocular distances. Tracked upper lips rise there, but filmed teeth do not appear.
"""


def smile(landmarks: Tensor) -> Tensor:
    """Return `[B]` in 0-1: how far lips `[B, 79, 2]` are drawn back from teeth that stay shut."""
    width, height = _inner_lips(landmarks)
    return rise(width, SMILE_FROM, SMILE_TO) * (1 - rise(height, SMILE_HEIGHT, JAW_DROPPED))


def rounding(landmarks: Tensor) -> Tensor:
    """Return `[B]` in 0-1: how far lips `[B, 79, 2]` are drawn together, as for /u/ and /w/."""
    width, _ = _inner_lips(landmarks)
    return 1 - rise(width, ROUNDED, SPREAD)


def hidden_teeth(landmarks: Tensor) -> Tensor:
    """Return `[B]`: how much less the upper teeth of `[B, 79, 2]` show because the jaw has dropped,
    in inter-ocular distances.
    """
    _, height = _inner_lips(landmarks)
    return HIDDEN * rise(height, HIDDEN_FROM, HIDDEN_TO) * (1 - smile(landmarks))


def _inner_lips(landmarks: Tensor) -> tuple[Tensor, Tensor]:
    """Return width and height `[B]` of the opening, in inter-ocular distances."""
    distance, _ = face_frame(landmarks)
    width = (landmarks[:, 64] - landmarks[:, 60]).norm(dim=-1)
    height = (landmarks[:, 66] - landmarks[:, 62]).norm(dim=-1)
    return width / distance, height / distance


def rise(value: Tensor, start: float, end: float) -> Tensor:
    """Return 0 up to the start, 1 from the end on, and a share of 1 between them."""
    return ((value - start) / (end - start)).clamp(0, 1)
