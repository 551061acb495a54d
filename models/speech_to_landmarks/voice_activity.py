"""Voice activity detection: Silero VAD 6 (MIT, https://github.com/snakers4/silero-vad).

The published weights in plain PyTorch, with all chunks of a recording at once; only the recurrent
cell runs from chunk to chunk.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from media.audio import SAMPLES_PER_FRAME, num_frames
from models.checkpoints import load_checkpoint
from models.manifest import WEIGHTS

CHECKPOINT = "voice_activity.safetensors"
PIECE, CONTEXT = 512, 64
"""Samples per chunk, and the context samples before them."""
WINDOW, STRIDE = 256, 128
PAD = 64
PIECES_AT_ONCE = 1024
LOWERED = 1.75
"""The network misses shouted voices, which are high; it also listens to them slowed down by this.

Of the loud frames of training speakers it then finds 98.3% instead of 98.0%, and in one recording
of four other speakers no speech at all instead of in 9 (of 240). At 1.5, struck chords are speech.
"""


@dataclass(frozen=True)
class VoiceActivityConfig:
    """Sizes of the network, saved with its weights."""

    width: int = 128


class VoiceActivity(nn.Module):
    """Short-time spectrum, four convolutions and an LSTM cell; one probability per chunk."""

    def __init__(self, config: VoiceActivityConfig) -> None:
        super().__init__()
        width = config.width
        self.spectrum = nn.Conv1d(1, WINDOW + 2, WINDOW, stride=STRIDE, bias=False)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(inputs, outputs, 3, stride=stride, padding=1)
            for inputs, outputs, stride in (
                (WINDOW // 2 + 1, width, 1),
                (width, width // 2, 2),
                (width // 2, width // 2, 2),
                (width // 2, width, 1),
            )
        )
        self.cell = nn.LSTM(width, width, batch_first=True)
        self.read = nn.Linear(width, 1)

    @classmethod
    def load(cls, device: torch.device | str) -> Self:
        """Return the shipped network.

        Raises:
            CheckpointError: the weights file is missing or damaged.
        """
        state, sizes = load_checkpoint(WEIGHTS / CHECKPOINT)
        network = cls(VoiceActivityConfig(**sizes))
        network.load_state_dict(state)
        return network.to(device).eval()

    def forward(self, waveform: Tensor) -> Tensor:
        """Return the probabilities of speech `[ceil(N / 512)]` of samples `[N]` at 16 kHz."""
        padded = F.pad(waveform, (CONTEXT, -len(waveform) % PIECE))
        pieces = padded.unfold(0, PIECE + CONTEXT, PIECE)
        features = [self._features(some) for some in torch.split(pieces, PIECES_AT_ONCE)]
        remembered, _ = self.cell(torch.cat(features)[None])
        probabilities: Tensor = torch.sigmoid(self.read(F.relu(remembered)))
        return probabilities[0, :, 0]

    def _features(self, pieces: Tensor) -> Tensor:
        """Return `[P, C]` of chunks `[P, 576]`."""
        x = self.spectrum(F.pad(pieces[:, None], (0, PAD), mode="reflect"))
        real, imaginary = x.chunk(2, dim=1)
        x = (real.square() + imaginary.square()).sqrt()
        for convolution in self.convolutions:
            x = F.relu(convolution(x))
        features: Tensor = x[..., 0]
        return features

    @torch.inference_mode()
    def listen(self, waveform: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the probability of speech `[T]` in each video frame of samples `[N]`."""
        frames = num_frames(waveform)
        if not len(waveform):
            return np.zeros(frames, np.float32)
        sound = torch.from_numpy(waveform).to(self.read.weight.device)
        slower = F.interpolate(sound[None, None], scale_factor=LOWERED, mode="linear")[0, 0]
        return np.maximum(
            self._by_frame(sound, frames, 1.0), self._by_frame(slower, frames, LOWERED)
        )

    def _by_frame(self, sound: Tensor, frames: int, slowed: float) -> NDArray[np.float32]:
        """Return the probability `[frames]` in samples slowed down by a factor."""
        heard = self(sound).cpu().numpy()
        middles = (np.arange(frames) + 0.5) * SAMPLES_PER_FRAME * slowed
        pieces = (np.arange(len(heard)) + 0.5) * PIECE
        voice: NDArray[np.float32] = np.interp(middles, pieces, heard).astype(np.float32)
        return voice
