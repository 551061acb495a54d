"""How well stage one follows speech it has not heard, beside the portrait that does not move."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from models.evaluation.metrics import (
    accuracy,
    compare_lips,
    confusion,
    landmark_distance,
    lip_gap,
)
from models.landmark_network import LandmarkNetwork
from models.retargeting import axis_scales, part_crossed_lips, rest_mouth
from models.training.emotional_speech import EmotionalClip
from models.training.speech_landmarks import SpeechClip

Points = NDArray[np.float32]


@dataclass(frozen=True)
class LipScores:
    """Means over clips.

    Attributes:
        clips: how many.
        correlation: Pearson's r between generated and real opening of the lips.
        in_step: share of clips where it peaks within one frame of lag 0.
        distance: M-LMD against that of the portrait that stays as in the first frame.
        amplitude: deviation of the opening, generated over real, median of clips.
    """

    clips: int
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
            clips=len(rows),
            correlation=float(np.mean([row[0] for row in rows])),
            in_step=float(np.mean([row[1] for row in rows])),
            distance=float(np.mean([row[2] for row in rows]) / np.mean([row[3] for row in rows])),
            amplitude=float(np.median([row[4] for row in rows])),
        )
        for name, rows in by_set.items()
    }


def _score(generated: Points, clip: SpeechClip) -> tuple[float, ...]:
    real = clip.motion.float().numpy()
    resting = clip.resting.numpy()
    still = resting + real * axis_scales(resting)
    portrait = rest_mouth(still[0])
    moved = part_crossed_lips(portrait + generated * axis_scales(portrait))
    lips = compare_lips(lip_gap(moved), lip_gap(still))
    return (
        lips.correlation,
        lips.in_step,
        landmark_distance(moved, still),
        landmark_distance(np.broadcast_to(still[0], still.shape), still),
        lips.amplitude,
    )


@torch.inference_mode()
def emotion_accuracy(network: LandmarkNetwork, clips: Sequence[EmotionalClip]) -> float:
    """Return the share of recordings whose likeliest emotion over time is the acted one."""
    heard = [
        network.heard_emotion(clip.prosody[None].float(), clip.states[None].float()).logits[0]
        for clip in clips
    ]
    probabilities = [logits.softmax(-1).numpy() for logits in heard]
    return accuracy(confusion([clip.emotion for clip in clips], probabilities))
