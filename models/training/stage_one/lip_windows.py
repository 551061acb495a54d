"""Batches of short windows from speaking clips, with a fixed share for every set and length."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from media.audio import SAMPLE_RATE, num_frames
from media.faces.landmarks import NUM_LANDMARKS
from models.speech_to_landmarks.speech_encoder import STATES_PER_FRAME
from models.training.common.augmentation import coloured_noise
from models.training.stage_one.speech_input import SpeechInput
from models.training.stage_one.speech_landmarks import SpeechClip

Shares = NDArray[np.float64]

SHORT, LONG = 20, 60
"""Video frames of a window; clips of one word only fill a short one."""
HIDDEN_CHANNELS, HIDDEN_STATES = 0.15, 8
NOISE = 0.15
"""Standard deviation of the noise added to encoder states, which have deviation 1."""
SILENCE_SHARE = 0.06
SILENCE_SECONDS = 8
MIRRORED = (
    *range(16, -1, -1), *range(26, 16, -1), *range(27, 31), *range(35, 30, -1),
    45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40,
    *range(54, 47, -1), *range(59, 54, -1), *range(64, 59, -1), *range(67, 64, -1),
    69, 68, *range(78, 69, -1),
)  # fmt: skip
"""The mirror image of each landmark."""


@dataclass(frozen=True)
class LipBatch:
    """States `[B, 2L, C]` and the motion `[B, L, 79, 2]` they speak."""

    states: Tensor
    motion: Tensor

    def to(self, device: torch.device) -> Self:
        """Return the batch on a device."""
        return replace(self, states=self.states.to(device), motion=self.motion.to(device))


class LipSampler:
    """Draws windows: a set by its number of voices, a random clip, a random position."""

    def __init__(
        self,
        clips: Sequence[SpeechClip],
        silence: Sequence[SpeechClip],
        rng: np.random.Generator,
    ) -> None:
        self.rng = rng
        self._silence = silence
        self._sets: dict[str, list[SpeechClip]] = defaultdict(list)
        for clip in clips:
            self._sets[clip.set].append(clip)
        self._fitting = {length: self._fit(length) for length in (SHORT, LONG)}

    def draw(self, count: int, length: int) -> LipBatch:
        """Return `count` windows of `length` frames, SHORT or LONG."""
        windows = [self._window(length) for _ in range(count)]
        return LipBatch(
            states=torch.stack([states for states, _ in windows]),
            motion=torch.stack([motion for _, motion in windows]),
        )

    def _fit(self, length: int) -> tuple[list[list[SpeechClip]], Shares]:
        """Return the clips of each set that fill a window, and the probability of each set.

        A set counts by the cube root of its number of voices; otherwise one man with many clips
        would dominate.
        """
        fitting = [[c for c in clips if len(c.motion) >= length] for clips in self._sets.values()]
        fitting = [clips for clips in fitting if clips]
        voices = np.array([len({clip.person for clip in clips}) for clips in fitting])
        return fitting, np.cbrt(voices) / np.cbrt(voices).sum()

    def _window(self, length: int) -> tuple[Tensor, Tensor]:
        clip = self._clip(length)
        start = int(self.rng.integers(0, len(clip.motion) - length + 1))
        states = clip.states[STATES_PER_FRAME * start : STATES_PER_FRAME * (start + length)]
        motion = clip.motion[start : start + length].float()
        return self._hide(states.float()), mirror(motion) if self.rng.random() < 0.5 else motion

    def _hide(self, states: Tensor) -> Tensor:
        """Mask one channel in seven throughout, a stretch half of the time, and add a little noise.

        Few voices are available: information spread over many channels generalizes to new ones.
        """
        heard = torch.from_numpy(self.rng.random(states.shape[1]) > HIDDEN_CHANNELS)
        states = states * heard + NOISE * torch.randn_like(states)
        if self.rng.random() < 0.5:
            start = int(self.rng.integers(len(states)))
            states[start : start + int(self.rng.integers(1, HIDDEN_STATES))] = 0.0
        return states

    def _clip(self, length: int) -> SpeechClip:
        if self.rng.random() < SILENCE_SHARE:
            return self._silence[int(self.rng.integers(len(self._silence)))]
        sets, shares = self._fitting[length]
        clips = sets[int(self.rng.choice(len(sets), p=shares))]
        return clips[int(self.rng.integers(len(clips)))]


def mirror(motion: Tensor) -> Tensor:
    """Return mirrored displacements `[..., 79, 2]`."""
    return motion[..., list(MIRRORED), :] * torch.tensor([-1.0, 1.0])


def silence(rng: np.random.Generator) -> NDArray[np.float32]:
    """Return a waveform without speech: silence, hiss, or hum."""
    samples = SILENCE_SECONDS * SAMPLE_RATE
    if rng.random() < 0.15:
        return np.zeros(samples, np.float32)
    noise = coloured_noise(samples, rng.uniform(0.0, 1.5), rng)
    hum = np.sin(2 * np.pi * rng.uniform(50, 400) * np.arange(samples) / SAMPLE_RATE)
    loudness = 10 ** rng.uniform(-4.0, -1.2)
    return (loudness * (noise + rng.integers(0, 2) * hum)).astype(np.float32)


def silent_clip(waveform: NDArray[np.float32], encoder: SpeechInput) -> SpeechClip:
    """Return a waveform without speech as a clip in which the mouth rests."""
    return SpeechClip(
        name="silence",
        set="silence",
        split="train",
        person="nobody",
        states=encoder.encode(waveform).cpu().half(),
        motion=torch.zeros(num_frames(waveform), NUM_LANDMARKS, 2).half(),
        resting=torch.zeros(NUM_LANDMARKS, 2),
    )
