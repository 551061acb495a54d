"""Batches of short windows out of speaking clips, every set and every length in its share."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from models.audio import SAMPLE_RATE
from models.landmarks import NUM_LANDMARKS
from models.speech_encoder import STATES_PER_FRAME, SpeechEncoder
from models.training.augmentation import coloured_noise
from models.training.speech_landmarks import SpeechClip

SHORT, LONG = 20, 60
"""Video frames of a window; the sets of word-long clips fill only short ones."""
SILENCE_SHARE = 0.06
SILENCE_SECONDS = 8
MIRRORED = (
    *range(16, -1, -1), *range(26, 16, -1), *range(27, 31), *range(35, 30, -1),
    45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40,
    *range(54, 47, -1), *range(59, 54, -1), *range(64, 59, -1), *range(67, 64, -1),
    69, 68, *range(78, 69, -1),
)  # fmt: skip
"""The landmark that each becomes in a mirror."""


@dataclass(frozen=True)
class LipBatch:
    """States `[B, 2L, C]` and the motion `[B, L, 79, 2]` they speak."""

    states: Tensor
    motion: Tensor


class LipSampler:
    """Draws windows: a set by its share, a clip at random, a copy of it, a place in it."""

    def __init__(
        self,
        clips: Sequence[SpeechClip],
        silence: Sequence[SpeechClip],
        rng: np.random.Generator,
        single_voice_share: float = 0.45,
    ) -> None:
        self.rng = rng
        self.silence = silence
        self._people: dict[str, list[SpeechClip]] = defaultdict(list)
        for clip in clips:
            self._people[clip.person].append(clip)
        self._long = [clip for clip in clips if len(clip.motion) >= LONG]
        self._short = [clip for clip in clips if SHORT <= len(clip.motion) < LONG]
        self._long_share = single_voice_share if self._short else 1.0
        counts = np.array([len(self._people[clip.person]) for clip in self._short])
        shares = counts**-0.5 if len(counts) else counts
        self._shares = shares / shares.sum() if len(counts) else None

    def draw(self, count: int, length: int) -> LipBatch:
        """Return `count` windows, SHORT ones from all sets or LONG ones from long clips."""
        windows = [self._window(length) for _ in range(count)]
        return LipBatch(
            states=torch.stack([states for states, _ in windows]),
            motion=torch.stack([motion for _, motion in windows]),
        )

    def _window(self, length: int) -> tuple[Tensor, Tensor]:
        clip = self._clip(length)
        start = int(self.rng.integers(0, len(clip.motion) - length + 1))
        states = clip.states[STATES_PER_FRAME * start : STATES_PER_FRAME * (start + length)]
        motion = clip.motion[start : start + length].float()
        return states.float(), mirror(motion) if self.rng.random() < 0.5 else motion

    def _clip(self, length: int) -> SpeechClip:
        if self.rng.random() < SILENCE_SHARE:
            return self.silence[int(self.rng.integers(len(self.silence)))]
        if length > SHORT or self.rng.random() < self._long_share:
            return self._long[int(self.rng.integers(len(self._long)))]
        return self._short[int(self.rng.choice(len(self._short), p=self._shares))]


def mirror(motion: Tensor) -> Tensor:
    """Return displacements `[..., 79, 2]` as a mirror shows them."""
    return motion[..., list(MIRRORED), :] * torch.tensor([-1.0, 1.0])


def silent_clips(encoder: SpeechEncoder, rng: np.random.Generator, count: int) -> list[SpeechClip]:
    """Return clips of silence, hiss and hum, in which the mouth rests."""
    samples = SILENCE_SECONDS * SAMPLE_RATE
    frames = 25 * SILENCE_SECONDS
    clips = []
    for index in range(count):
        loudness = 0.0 if index % 8 == 0 else 10 ** rng.uniform(-4.0, -1.2)
        noise = coloured_noise(samples, rng.uniform(0.0, 1.5), rng)
        hum = np.sin(2 * np.pi * rng.uniform(50, 400) * np.arange(samples) / SAMPLE_RATE)
        sound = loudness * (noise + rng.integers(0, 2) * hum)
        clips.append(
            SpeechClip(
                name=f"silence_{index}",
                set="silence",
                split="train",
                person="nobody",
                states=encoder.encode(sound.astype(np.float32)).half(),
                motion=torch.zeros(frames, NUM_LANDMARKS, 2).half(),
                resting=torch.zeros(NUM_LANDMARKS, 2),
            )
        )
    return clips
