"""Emotion encoders: the emotion that speech carries over time, and the one that a moving face
displays.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from media.emotions import EMOTIONS
from media.faces.landmarks import MOUTH, NUM_LANDMARKS
from models.speech_to_landmarks.prosody import CHANNELS

PROSODY_PER_FRAME = 4
"""Prosody frames per video frame."""


@dataclass(frozen=True)
class EmotionEncoderConfig:
    """Sizes of both emotion encoders."""

    states: int = 384
    width: int = 128
    embedding: int = 64
    window: int = 75
    """Number of video frames over which emotion is pooled."""
    dropout: float = 0.3


class HeardEmotion(NamedTuple):
    """The detected emotion at each video frame.

    Attributes:
        embedding: `[B, T, 64]`, in the space that both encoders share.
        logits: `[B, T, 8]` in the order of EMOTIONS.
        strength: `[B, T]`, 0 for none, 1 for strong.
    """

    embedding: Tensor
    logits: Tensor
    strength: Tensor


class EmotionHeads(nn.Module):
    """Predicts emotion and strength from an embedding; both encoders share it."""

    def __init__(self, config: EmotionEncoderConfig) -> None:
        super().__init__()
        self.classify = nn.Linear(config.embedding, len(EMOTIONS))
        self.gauge = nn.Linear(config.embedding, 1)

    def forward(self, embedding: Tensor) -> HeardEmotion:
        """Classify embeddings `[B, T, 64]`."""
        strength = self.gauge(embedding).squeeze(-1).sigmoid() * 1.2
        return HeardEmotion(embedding, self.classify(embedding), strength)


class StatisticsPooling(nn.Module):
    """Attentive mean and standard deviation over a sliding window (Okabe et al., 2018)."""

    def __init__(self, width: int, window: int) -> None:
        super().__init__()
        self.window = window
        self.score = nn.Sequential(
            nn.Conv1d(width, width // 2, 1), nn.Tanh(), nn.Conv1d(width // 2, 1, 1)
        )

    def forward(self, features: Tensor) -> Tensor:
        """Return `[B, 2C, T]` statistics of the frames `[B, C, T]` around each frame."""
        weight = self.score(features).clamp(-8.0, 8.0).exp()
        total = self._sum(weight)
        mean = self._sum(weight * features) / total
        power = self._sum(weight * features.square()) / total
        deviation = (power - mean.square()).clamp(min=1e-5).sqrt()
        return torch.cat([mean, deviation], dim=1)

    def _sum(self, values: Tensor) -> Tensor:
        half = self.window // 2
        return F.avg_pool1d(F.pad(values, (half, half)), 2 * half + 1, 1)


class AudioEmotionEncoder(nn.Module):
    """Encodes the emotion of speech at each video frame, from prosody and encoder states."""

    def __init__(self, config: EmotionEncoderConfig) -> None:
        super().__init__()
        width = config.width
        self.hear_prosody = nn.Sequential(
            nn.Conv1d(CHANNELS, width, 5, stride=2, padding=2),
            nn.BatchNorm1d(width),
            nn.GELU(),
            nn.Dropout(config.dropout),
        )
        self.hear_states = nn.Sequential(
            nn.Dropout(config.dropout),
            nn.Conv1d(config.states, width, 1),
            nn.BatchNorm1d(width),
            nn.GELU(),
        )
        self.join = nn.Sequential(
            nn.Conv1d(2 * width, width, 5, stride=2, padding=2),
            nn.BatchNorm1d(width),
            nn.GELU(),
            nn.Dropout(config.dropout),
            nn.Conv1d(width, width, 5, padding=2),
            nn.BatchNorm1d(width),
            nn.GELU(),
        )
        self.pool = StatisticsPooling(width, config.window)
        self.embed = nn.Sequential(
            nn.Dropout(config.dropout), nn.Conv1d(2 * width, config.embedding, 1)
        )

    def forward(self, prosody: Tensor, states: Tensor) -> Tensor:
        """Return embeddings `[B, T, 64]` of prosody `[B, 163, 4T]` and states `[B, 2T, 384]`."""
        heard = [self.hear_prosody(prosody), self.hear_states(states.transpose(1, 2))]
        features = self.join(torch.cat(heard, dim=1))
        out: Tensor = self.embed(self.pool(features)).transpose(1, 2)
        return out


class VisualEmotionEncoder(nn.Module):
    """Encodes the emotion displayed by a moving face; only used in training."""

    def __init__(self, config: EmotionEncoderConfig) -> None:
        super().__init__()
        self.look = nn.Sequential(
            nn.Conv1d(2 * NUM_LANDMARKS, config.width, 5, padding=2),
            nn.GELU(),
            nn.Conv1d(config.width, config.width, 5, padding=2),
            nn.GELU(),
        )
        self.pool = StatisticsPooling(config.width, config.window)
        self.embed = nn.Conv1d(2 * config.width, config.embedding, 1)

    def forward(self, displacement: Tensor, hide_mouth: Tensor) -> Tensor:
        """Return embeddings `[B, T, 64]` of displacements `[B, T, 79, 2]`.

        Args:
            displacement: from the rest pose, in inter-ocular units.
            hide_mouth: `[B]` bool; where true, the mouth is hidden, so that it cannot carry speech.
        """
        seen = displacement.clone()
        seen[hide_mouth, :, MOUTH] = 0.0
        features = self.look(10.0 * seen.flatten(2).transpose(1, 2))
        out: Tensor = self.embed(self.pool(features)).transpose(1, 2)
        return out
