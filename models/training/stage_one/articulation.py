"""How far speech opens the lips, by emotion and effort: learnt from acted speech and its faces.

Speech motion is generated from levelled speech and opens the lips almost equally in all emotions.
How much wider a face speaks is read from the mean intensity of AU26 (jaw drop), whose level the
means of the clips preserve, relative to the same actor's neutral clips.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from media.emotions import Emotion
from models.corpus.recordings import list_recordings
from models.speech_to_landmarks.action_unit_flow import ActionUnitFlow
from models.speech_to_landmarks.facial_action import gain_features, lip_opening
from models.speech_to_landmarks.landmark_network import LandmarkNetwork
from models.speech_to_landmarks.vocal_effort import vocal_effort
from models.training.stage_one.action_units import RECORDED, UnitMeans, emotion_vector, is_held_out
from models.training.stage_one.emotional_speech import EmotionalClip

COMPRESSED = 0.68
"""Exponent that turns a ratio of jaw drops into one of the openings' spread over time.

Least squares over five emotions of one filmed actor, not in the data: spreads 1.28, 1.27, 1.45,
1.09, 0.98 times neutral's for anger, disgust, fear, happiness and sadness.
"""
EVERY = 5
RIDGE = 30.0
"""Clips of evidence against any effect."""


@dataclass(frozen=True)
class SpokenClip:
    """One recording: the spread of its generated opening, the target, and what explains both."""

    spread: float
    wanted: float
    effort: Tensor
    emotion: Tensor


@dataclass(frozen=True)
class Articulation:
    """The recordings, and `[79, 2]` how a face moves as its lips open by one unit."""

    clips: list[SpokenClip]
    opening: Tensor


@torch.no_grad()
def read_articulation(
    data: Path,
    recordings: Sequence[EmotionalClip],
    network: LandmarkNetwork,
    means: Sequence[UnitMeans],
) -> Articulation:
    """Hear every recording of the actors trained on whose face's means are known."""
    heard = dict(zip([r.path.stem for r in list_recordings(data)], recordings, strict=True))
    jaw = RECORDED.index("AU26")
    expected = _expected_ratios(means, jaw)
    spreads: dict[str, float] = {}
    along, power = torch.zeros(79, 2), 0.0
    known = [m for m in means if not is_held_out(m.actor) and m.name in heard]
    for clip in known:
        motion = network.speech_motion(heard[clip.name].states[None].float())[0]
        opening = lip_opening(motion)
        spreads[clip.name] = float(opening.std())
        along += (motion * opening[:, None, None]).sum(0)
        power += float(opening.square().sum())
    plain = _plain_spread(known, spreads)
    clips = [
        SpokenClip(
            spread=spreads[clip.name],
            wanted=plain[clip.actor] * expected[clip.actor, clip.label, clip.strength],
            effort=vocal_effort(heard[clip.name].prosody[None].float())[0].mean(0),
            emotion=emotion_vector(clip.label, clip.strength),
        )
        for clip in known
        if (clip.actor, clip.label, clip.strength) in expected and clip.actor in plain
    ]
    return Articulation(clips, along / power)


def _expected_ratios(
    means: Sequence[UnitMeans], jaw: int
) -> dict[tuple[int, Emotion, float], float]:
    """Return by actor, emotion and strength how much wider than neutral the lips' spread is.

    An actor's own ratio is drawn half-way to that of all actors: it rests on four clips.
    """
    ratios: dict[tuple[int, Emotion, float], float] = {}
    everyone: dict[tuple[Emotion, float], list[float]] = {}
    actors = sorted({m.actor for m in means if not is_held_out(m.actor)})
    for actor in actors:
        own = [m for m in means if m.actor == actor]
        plain = np.mean([m.units[jaw] for m in own if m.strength == 0.0])
        for label, strength in {(m.label, m.strength) for m in own}:
            acted = [m for m in own if (m.label, m.strength) == (label, strength)]
            drop = np.mean([m.units[jaw] for m in acted])
            log = COMPRESSED * float(np.log(max(drop, 0.1) / max(plain, 0.1)))
            ratios[actor, label, strength] = log
            everyone.setdefault((label, strength), []).append(log)
    return {
        (actor, label, strength): float(np.exp((log + np.mean(everyone[label, strength])) / 2))
        for (actor, label, strength), log in ratios.items()
    }


def _plain_spread(clips: Sequence[UnitMeans], spreads: dict[str, float]) -> dict[int, float]:
    """Return the mean spread of each actor's neutral speech."""
    by_actor: dict[int, list[float]] = {}
    for clip in clips:
        if clip.strength == 0.0:
            by_actor.setdefault(clip.actor, []).append(spreads[clip.name])
    return {actor: float(np.mean(found)) for actor, found in by_actor.items()}


def fit_articulation(flow: ActionUnitFlow, articulation: Articulation) -> Tensor:
    """Return weights `[11]` of the logarithm of the gain, by ridge regression.

    The bias is such that neutral speech opens as far as it did.
    """
    clips = articulation.clips
    known = torch.stack([gain_features(flow, clip.effort, clip.emotion) for clip in clips])
    neutral = torch.tensor([float(clip.emotion.max()) == 0.0 for clip in clips])
    centred = (known - known[neutral].mean(0))[:, :-1]
    wanted = torch.tensor([np.log(clip.wanted / clip.spread) for clip in clips]).float()
    doubt = RIDGE * torch.eye(centred.shape[1])
    weights: Tensor = torch.linalg.solve(centred.T @ centred + doubt, centred.T @ wanted)
    bias = -known[neutral].mean(0)[:-1] @ weights
    return torch.cat([weights, bias[None]])
