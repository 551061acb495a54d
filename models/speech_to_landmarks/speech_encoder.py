"""The frozen speech encoder: the lower layers of Whisper's encoder, which represent the content.

Whisper tiny.en has four layers. A linear map from the states around a video frame to the opening of
the lips generalizes best to unseen speakers after the third (r 0.664; second 0.661, fourth 0.648),
so the fourth and the weights of the final norm are left out.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from media.audio import SAMPLE_RATE, SAMPLES_PER_FRAME, num_frames
from models.checkpoints import load_checkpoint
from models.manifest import WEIGHTS
from models.speech_to_landmarks.spectrogram import MELS, log_mel_spectrogram

STATES_PER_FRAME = 2
STATE_RATE = 50
"""Encoder states per second."""
WINDOW = 8 * STATE_RATE
"""Number of states kept from one pass of the encoder."""
CONTEXT = 1 * STATE_RATE
"""Number of context states on either side that a pass sees and drops, for seamless windows."""
TRAILING_SILENCE = 2 * SAMPLE_RATE
"""Samples of silence after the speech: Whisper expects silence up to 30 s."""
LEVEL, MAX_GAIN = 0.3, 10.0
"""Target of the waveform's 99.9th percentile, and the maximum gain."""


@dataclass(frozen=True)
class Window:
    """One pass over a long sequence: it sees [begin, end) and keeps [start, stop) of it."""

    begin: int
    start: int
    stop: int
    end: int


def windows(length: int, size: int, context: int) -> Iterator[Window]:
    """Yield windows that keep `size` steps each, with `context` more on either side."""
    for start in range(0, length, size):
        stop = min(start + size, length)
        yield Window(max(0, start - context), start, stop, min(stop + context, length))


@dataclass(frozen=True)
class SpeechEncoderConfig:
    """Sizes of the encoder; the defaults are Whisper tiny's, less its last layer."""

    width: int = 384
    heads: int = 6
    layers: int = 3


class SpeechEncoder(nn.Module):
    """Whisper's encoder (Radford et al., 2022, section 2.2), plain and frozen."""

    def __init__(self, config: SpeechEncoderConfig) -> None:
        super().__init__()
        self.config = config
        self.conv1 = nn.Conv1d(MELS, config.width, 3, padding=1)
        self.conv2 = nn.Conv1d(config.width, config.width, 3, stride=2, padding=1)
        self.layers = nn.ModuleList(EncoderLayer(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.width, elementwise_affine=False)
        self.requires_grad_(False)

    @classmethod
    def load(cls, device: torch.device | str) -> Self:
        """Return the shipped encoder.

        Raises:
            CheckpointError: the weights are missing or damaged.
        """
        state, sizes = load_checkpoint(WEIGHTS / "speech_encoder.safetensors")
        encoder = cls(SpeechEncoderConfig(**sizes))
        encoder.load_state_dict(state)
        return encoder.to(device).eval()

    @torch.inference_mode()
    def encode(self, waveform: NDArray[np.float32]) -> Tensor:
        """Return `[2T, width]` states, 50 per second, of `[N]` samples in [-1, 1] at 16 kHz.

        T is `num_frames(waveform)`. Long speech is processed in overlapping windows, so that memory
        grows only with the spectrogram and the states.
        """
        frames = num_frames(waveform)
        padded = np.zeros(frames * SAMPLES_PER_FRAME + TRAILING_SILENCE, np.float32)
        kept = min(len(waveform), frames * SAMPLES_PER_FRAME)
        padded[:kept] = level(waveform[:kept])
        device = self.conv1.weight.device
        mel = log_mel_spectrogram(torch.from_numpy(padded).to(device))
        states = STATES_PER_FRAME * frames
        return torch.cat([self._pass(mel, span) for span in windows(states, WINDOW, CONTEXT)])

    def _pass(self, mel: Tensor, span: Window) -> Tensor:
        # At the end, the context is the trailing silence.
        seen = mel[None, :, 2 * span.begin : 2 * (span.stop + CONTEXT)]
        out: Tensor = self(seen)[0, span.start - span.begin : span.stop - span.begin]
        return out

    def forward(self, mel: Tensor) -> Tensor:
        """Return the states `[B, M / 2, width]` of log-mel spectrograms `[B, 80, M]`, M even."""
        x = F.gelu(self.conv1(mel))
        x = F.gelu(self.conv2(x)).transpose(1, 2)
        x = x + sinusoids(x.shape[1], self.config.width).to(x)
        for layer in self.layers:
            x = layer(x)
        out: Tensor = self.norm(x)
        return out


class EncoderLayer(nn.Module):
    """A pre-norm transformer layer with full self-attention."""

    def __init__(self, config: SpeechEncoderConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.attention_norm = nn.LayerNorm(config.width)
        self.query_key_value = nn.Linear(config.width, 3 * config.width)
        self.project = nn.Linear(config.width, config.width)
        self.feed_norm = nn.LayerNorm(config.width)
        self.expand = nn.Linear(config.width, 4 * config.width)
        self.contract = nn.Linear(4 * config.width, config.width)

    def forward(self, x: Tensor) -> Tensor:
        """Map `[B, S, width]` to the same shape."""
        x = x + self.project(self._attend(self.attention_norm(x)))
        out: Tensor = x + self.contract(F.gelu(self.expand(self.feed_norm(x))))
        return out

    def _attend(self, x: Tensor) -> Tensor:
        batch, states, width = x.shape
        split = self.query_key_value(x).view(batch, states, 3, self.heads, -1)
        query, key, value = split.permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(query, key, value)
        return mixed.transpose(1, 2).reshape(batch, states, width)


def sinusoids(length: int, width: int) -> Tensor:
    """Return Whisper's position encodings `[length, width]`: sines, then cosines."""
    half = width // 2
    rates = torch.exp(-math.log(10_000.0) / (half - 1) * torch.arange(half))
    angles = torch.arange(length)[:, None] * rates[None, :]
    return torch.cat([angles.sin(), angles.cos()], dim=1)


def level(waveform: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the waveform `[N]` at the loudness the networks expect; near silence stays quiet."""
    if len(waveform) == 0:
        return waveform
    peak = float(np.quantile(np.abs(waveform), 0.999))
    return waveform * np.float32(min(LEVEL / max(peak, 1e-8), MAX_GAIN))
