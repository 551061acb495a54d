"""Stage one's trainable part: encoder states and prosody to speech motion plus emotion."""

from dataclasses import dataclass, field
from typing import Any, Self

import torch
from torch import Tensor, nn

from media.emotions import EMOTIONS, Emotion
from media.faces.landmarks import NUM_LANDMARKS
from models.speech_to_landmarks.emotion_encoder import (
    AudioEmotionEncoder,
    EmotionEncoderConfig,
    EmotionHeads,
    HeardEmotion,
)
from models.speech_to_landmarks.speech_motion import SpeechMotion, SpeechMotionConfig

POSE_CHANNELS = 6


@dataclass(frozen=True)
class LandmarkNetworkConfig:
    """Sizes of stage one, saved with its weights."""

    speech: SpeechMotionConfig = field(default_factory=SpeechMotionConfig)
    emotion: EmotionEncoderConfig = field(default_factory=EmotionEncoderConfig)
    emotion_components: int = 12

    @classmethod
    def from_sizes(cls, sizes: dict[str, Any]) -> Self:
        """Rebuild the config from a checkpoint's header."""
        return cls(
            speech=SpeechMotionConfig(**sizes["speech"]),
            emotion=EmotionEncoderConfig(**sizes["emotion"]),
            emotion_components=sizes["emotion_components"],
        )


class LandmarkNetwork(nn.Module):
    """Motion = speech motion + intensity x emotional displacement, each in its own linear basis.

    Buffers:
        speech_basis: `[32, 79, 2]` principal components of speech motion, times their deviations.
        emotion_basis: `[12, 79, 2]` the same for emotional displacement; none opens the lips.
        pose_mixing: `[6, 6]` factor of the head motion's covariance.
        pose_tempo: `[6]` number of frames over which each channel of head motion is smooth.
    """

    speech_basis: Tensor
    emotion_basis: Tensor
    pose_mixing: Tensor
    pose_tempo: Tensor

    def __init__(self, config: LandmarkNetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.speech = SpeechMotion(config.speech)
        self.hear = AudioEmotionEncoder(config.emotion)
        self.heads = EmotionHeads(config.emotion)
        self.prototypes = nn.Parameter(torch.randn(len(EMOTIONS), config.emotion.embedding))
        self.express = nn.Sequential(
            nn.Linear(config.emotion.embedding, 128),
            nn.GELU(),
            nn.Linear(128, config.emotion_components),
        )
        points = (NUM_LANDMARKS, 2)
        self.register_buffer("speech_basis", torch.zeros(config.speech.components, *points))
        self.register_buffer("emotion_basis", torch.zeros(config.emotion_components, *points))
        self.register_buffer("pose_mixing", torch.zeros(POSE_CHANNELS, POSE_CHANNELS))
        self.register_buffer("pose_tempo", torch.ones(POSE_CHANNELS))

    def speech_motion(self, states: Tensor) -> Tensor:
        """Return the motion `[B, T, 79, 2]` for states `[B, 2T, 384]`."""
        return torch.einsum("btk,kpc->btpc", self.speech(states), self.speech_basis)

    def heard_emotion(self, prosody: Tensor, states: Tensor) -> HeardEmotion:
        """Return the emotion in prosody `[B, 163, 4T]` and states `[B, 2T, 384]`, by frame."""
        heard: HeardEmotion = self.heads(self.hear(prosody, states))
        return heard

    def emotional_displacement(self, embedding: Tensor) -> Tensor:
        """Return the displacement `[..., 79, 2]` of embeddings `[..., 64]`; zero for neutral."""
        neutral = self.prototypes[EMOTIONS.index(Emotion.NEUTRAL)]
        shown = self.express(embedding) - self.express(neutral)
        return torch.einsum("...k,kpc->...pc", shown, self.emotion_basis)
