"""How well stage one follows speech it has not heard, beside the portrait that does not move."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from models.emotions import EMOTIONS
from models.landmark_network import LandmarkNetwork
from models.landmarks import MOUTH
from models.retargeting import axis_scales, lip_gaps, rest_mouth
from models.training.emotional_speech import EmotionalClip
from models.training.speech_landmarks import SpeechClip

Points = NDArray[np.float32]

PIXELS = 256 / 4.2
"""An inter-ocular unit on the 256x256 crop."""
MAX_LAG = 5


@dataclass(frozen=True)
class LipScores:
    """Means over clips.

    Attributes:
        correlation: Pearson's r between generated and real opening of the lips.
        in_step: share of clips where it peaks within one frame of lag 0.
        distance: M-LMD against that of the portrait that stays as in the first frame.
        amplitude: deviation of the opening, generated over real, median of clips.
    """

    correlation: float
    in_step: float
    distance: float
    amplitude: float

    def row(self) -> str:
        """Return the figures as cells of a Markdown table."""
        return (
            f"{self.correlation:.3f} | {self.in_step:.0%} | {self.distance:.2f}x | "
            f"{self.amplitude:.2f}"
        )


@torch.inference_mode()
def score_lips(network: LandmarkNetwork, clips: Sequence[SpeechClip]) -> dict[str, LipScores]:
    """Return the scores of each set among the clips."""
    by_set: dict[str, list[tuple[float, ...]]] = defaultdict(list)
    for clip in clips:
        generated = network.speech_motion(clip.states[None].float())[0].numpy()
        by_set[clip.set].append(_score(generated, clip))
    return {
        name: LipScores(
            correlation=float(np.mean([row[0] for row in rows])),
            in_step=float(np.mean([abs(row[1]) <= 1 for row in rows])),
            distance=float(np.mean([row[2] for row in rows]) / np.mean([row[3] for row in rows])),
            amplitude=float(np.median([row[4] for row in rows])),
        )
        for name, rows in by_set.items()
    }


def _score(generated: Points, clip: SpeechClip) -> tuple[float, ...]:
    real = clip.motion.float().numpy()
    resting = clip.resting.numpy()
    opening, wanted = lip_gaps(generated).mean(1), lip_gaps(real).mean(1)
    still = resting + real * axis_scales(resting)
    portrait = rest_mouth(still[0])
    moved = portrait + generated * axis_scales(portrait)
    return (
        _correlation(opening, wanted),
        best_lag(opening, wanted),
        _mouth_distance(moved, still),
        _mouth_distance(np.broadcast_to(still[0], still.shape), still),
        float(opening.std() / wanted.std()),
    )


def best_lag(opening: Points, wanted: Points) -> int:
    """Return by how many frames the generated opening `[T]` trails the real one."""
    lags = range(-MAX_LAG, MAX_LAG + 1)
    return max(lags, key=lambda lag: _lagged_correlation(opening, wanted, lag))


def _lagged_correlation(opening: Points, wanted: Points, lag: int) -> float:
    if lag >= 0:
        return _correlation(opening[lag:], wanted[: len(wanted) - lag])
    return _correlation(opening[:lag], wanted[-lag:])


def _correlation(one: Points, other: Points) -> float:
    one, other = one - one.mean(), other - other.mean()
    return float((one * other).sum() / (np.linalg.norm(one) * np.linalg.norm(other) + 1e-9))


def _mouth_distance(faces: Points, wanted: Points) -> float:
    """Return M-LMD: the mouth's mean point distance in pixels, each mouth about its own mean."""
    one, other = (f[:, MOUTH] - f[:, MOUTH].mean(1, keepdims=True) for f in (faces, wanted))
    return float(PIXELS * np.linalg.norm(one - other, axis=-1).mean())


@torch.inference_mode()
def emotion_accuracy(network: LandmarkNetwork, clips: Sequence[EmotionalClip]) -> float:
    """Return the share of recordings whose likeliest emotion over time is the acted one."""
    right = []
    for clip in clips:
        heard = network.heard_emotion(clip.prosody[None].float(), clip.states[None].float())
        mean = heard.logits[0].softmax(-1).mean(0)
        right.append(EMOTIONS[int(mean.argmax())] is clip.emotion)
    return float(np.mean(right))
