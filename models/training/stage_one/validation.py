"""Validation of stage one: how well it follows unseen speech, compared with a static portrait."""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from models.corpus.clips import spread
from models.face.retargeting import axis_scales, part_crossed_lips, rest_face
from models.metrics.definitions import (
    accuracy,
    compare_lips,
    confusion,
    landmark_distance,
    lip_gap,
)
from models.metrics.openings import OpeningCurve, draw_openings
from models.speech_to_landmarks.landmark_network import LandmarkNetwork
from models.training.stage_one.emotional_speech import EmotionalClip
from models.training.stage_one.speech_landmarks import SpeechClip

Points = NDArray[np.float32]

SHEET = "sheet.png"
SHEET_CLIPS = 6


@dataclass(frozen=True)
class HeldOut:
    """Clips and recordings of held-out people."""

    clips: Sequence[SpeechClip]
    recordings: Sequence[EmotionalClip]


@dataclass(frozen=True)
class LipScores:
    """Means over clips.

    Attributes:
        clips: number of clips.
        correlation: Pearson's r between generated and real opening of the lips.
        in_step: share of clips where it peaks within one frame of lag 0.
        distance: M-LMD divided by that of the static portrait.
        amplitude: standard deviation of the opening, generated divided by real, median of clips.
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


@dataclass(frozen=True)
class Score:
    """Scores of a network on held-out people: lips by set, and emotion recognition.

    If nothing was held out, a score is nan, and every network counts as the best so far.
    """

    lips: dict[str, LipScores]
    accuracy: float

    @property
    def correlation(self) -> float:
        """The mean over all clips."""
        total = sum(scores.clips for scores in self.lips.values())
        weighted = sum(scores.clips * scores.correlation for scores in self.lips.values())
        return weighted / total if total else math.nan

    def columns(self) -> dict[str, float]:
        """Return the figures of one row of the curve."""
        lips = {f"{name}_correlation": scores.correlation for name, scores in self.lips.items()}
        return lips | {"emotion_accuracy": self.accuracy}

    def rows(self) -> list[str]:
        """Return one line per set: correlation, in sync, M-LMD, amplitude, emotion accuracy."""
        if not self.lips:
            return [f"no clips | 0 | – | – | – | – | {self.accuracy:.3f}"]
        return [
            f"{name} | {scores.clips} | {scores.row()} | {self.accuracy:.3f}"
            for name, scores in self.lips.items()
        ]

    def table(self) -> str:
        """Return the scores as a Markdown table."""
        lines = [
            "| set | clips | lip r | in sync | M-LMD / still | opening / real | emotion heard |",
            "|---|---|---|---|---|---|---|",
        ]
        return "\n".join([*lines, *(f"| {row} |" for row in self.rows())])


def score_held_out(network: LandmarkNetwork, held_out: HeldOut) -> Score:
    """Score a network on all held-out data."""
    heard = emotion_accuracy(network, held_out.recordings) if held_out.recordings else math.nan
    return Score(score_lips(network, held_out.clips), heard)


def draw_sheet(folder: Path, network: LandmarkNetwork, held_out: HeldOut) -> None:
    """Plot the lips' opening of some clips over time, generated and real, into sheet.png."""
    curves = []
    for clip in spread(held_out.clips, SHEET_CLIPS):
        still, moved = _faces(speak(network, clip), clip)
        real, generated = lip_gap(still), lip_gap(moved)
        title = f"{clip.set} {clip.name}"
        r = compare_lips(generated, real).correlation
        curves += [
            OpeningCurve(title, "real", real),
            OpeningCurve(title, f"generated, r {r:.2f}", generated),
        ]
    if curves:
        draw_openings(folder / SHEET, curves)


@torch.inference_mode()
def speak(network: LandmarkNetwork, clip: SpeechClip) -> Points:
    """Return the generated motion `[T, 79, 2]` of a clip's speech."""
    states = clip.states[None].float().to(network.speech_basis.device)
    motion: Points = network.speech_motion(states)[0].float().cpu().numpy()
    return motion


def score_lips(network: LandmarkNetwork, clips: Sequence[SpeechClip]) -> dict[str, LipScores]:
    """Return the scores of each set among the clips."""
    by_set: dict[str, list[tuple[float, ...]]] = defaultdict(list)
    for clip in clips:
        by_set[clip.set].append(_score(speak(network, clip), clip))
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


def _faces(generated: Points, clip: SpeechClip) -> tuple[Points, Points]:
    """Return the clip's own face `[T, 79, 2]`, and its first frame with the generated motion."""
    resting = clip.resting.numpy()
    still = resting + clip.motion.float().numpy() * axis_scales(resting)
    portrait = rest_face(still[0])
    return still, part_crossed_lips(portrait + generated * axis_scales(portrait))


def _score(generated: Points, clip: SpeechClip) -> tuple[float, ...]:
    still, moved = _faces(generated, clip)
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
    """Return the share of recordings whose most probable emotion over time is the acted one."""
    device = network.speech_basis.device
    heard = [
        network.heard_emotion(
            clip.prosody[None].float().to(device), clip.states[None].float().to(device)
        ).logits[0]
        for clip in clips
    ]
    probabilities = [logits.softmax(-1).cpu().numpy() for logits in heard]
    return accuracy(confusion([clip.emotion for clip in clips], probabilities))
