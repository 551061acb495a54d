"""Log-mel spectrograms, computed as Whisper does."""

from functools import cache

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from media.audio import SAMPLE_RATE

HOP = 160
"""Hop length in samples: 10 ms."""
FFT = 400
"""Window length in samples: 25 ms."""
MELS = 80
BLOCK = 3000
"""Number of columns whose spectrum is held in memory at once: 30 s."""


def log_mel_spectrogram(waveform: Tensor) -> Tensor:
    """Return `[80, N // 160]` log10 mel power, cut 8 below its maximum, at about [-1, 1.5].

    Args:
        waveform: `[N]` float32 in [-1, 1] at 16 kHz, N at least 201.
    """
    filters = mel_filters().to(waveform.device)
    centred = F.pad(waveform[None], (FFT // 2, FFT // 2), mode="reflect")[0]
    columns = len(waveform) // HOP
    mel = torch.cat([
        _mel_power(centred[HOP * start : HOP * min(start + BLOCK, columns) + FFT - HOP], filters)
        for start in range(0, columns, BLOCK)
    ], dim=1).clamp(min=1e-10).log10()  # fmt: skip
    return (torch.maximum(mel, mel.max() - 8.0) + 4.0) / 4.0


def _mel_power(samples: Tensor, filters: Tensor) -> Tensor:
    window = torch.hann_window(FFT, device=samples.device)
    spectrum = torch.stft(samples, FFT, HOP, window=window, center=False, return_complex=True)
    return filters @ spectrum.abs().square()


@cache
def mel_filters() -> Tensor:
    """Return `[80, 201]` triangular filters on Slaney's mel scale, 0 to 8 kHz, each of unit area.

    The scale is linear below 1 kHz and logarithmic above (Slaney, Auditory Toolbox, 1998).
    """
    hertz = _mel_to_hertz(np.linspace(0.0, _hertz_to_mel(SAMPLE_RATE / 2), MELS + 2))
    bins = np.linspace(0.0, SAMPLE_RATE / 2, FFT // 2 + 1)
    slopes = (hertz[:, None] - bins[None, :]) / np.diff(hertz, append=np.inf)[:, None]
    rising = -slopes[:-2]
    falling = (hertz[2:, None] - bins[None, :]) / np.diff(hertz)[1:, None]
    filters = np.maximum(0.0, np.minimum(rising, falling))
    filters *= (2.0 / (hertz[2:] - hertz[:-2]))[:, None]
    return torch.from_numpy(filters.astype(np.float32))


def _hertz_to_mel(hertz: float) -> float:
    return 15.0 + 27.0 * float(np.log(hertz / 1000.0) / np.log(6.4))


def _mel_to_hertz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(
        mel < 15.0, mel * 200.0 / 3.0, 1000.0 * np.exp((mel - 15.0) * np.log(6.4) / 27.0)
    )
