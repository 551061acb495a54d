"""The speech input of stage one: Whisper's frozen states, or a spectrogram for comparison."""

from typing import Literal, Protocol, get_args

import torch
from numpy import float32
from numpy.typing import NDArray
from torch import Tensor

from media.audio import SAMPLES_PER_FRAME, num_frames
from models.speech_to_landmarks.spectrogram import log_mel_spectrogram
from models.speech_to_landmarks.speech_encoder import STATES_PER_FRAME, SpeechEncoder, level

Input = Literal["whisper", "mel"]
INPUTS: tuple[Input, ...] = get_args(Input)


class SpeechInput(Protocol):
    """Turns speech into states for a network."""

    def encode(self, waveform: NDArray[float32]) -> Tensor:
        """Return `[2T, C]` states of `[N]` samples at 16 kHz, T video frames long."""


class MelInput:
    """A log-mel spectrogram, four columns of 80 bands per video frame, two per state.

    It replaces Whisper's states to measure their value; no shipped network uses it.
    """

    def encode(self, waveform: NDArray[float32]) -> Tensor:
        """Return `[2T, 160]` states with mean 0 and, unless all is silent, variance 1."""
        frames = num_frames(waveform)
        padded = torch.zeros(frames * SAMPLES_PER_FRAME)
        kept = min(len(waveform), frames * SAMPLES_PER_FRAME)
        padded[:kept] = torch.from_numpy(level(waveform[:kept]))
        mel = log_mel_spectrogram(padded)
        standard = (mel - mel.mean()) / mel.std().clamp(min=0.1)
        return standard.T[: 4 * frames].reshape(STATES_PER_FRAME * frames, -1)


def open_speech_input(name: Input, device: str = "cpu") -> SpeechInput:
    """Return the speech input with this name; Whisper's encoder runs on the device."""
    return MelInput() if name == "mel" else SpeechEncoder.load(device)
