"""Prosody features: spectrum, loudness and pitch, 100 times per second."""

import torch
import torch.nn.functional as F
from torch import Tensor

from media.audio import SAMPLE_RATE
from models.speech_to_landmarks.spectrogram import HOP, MELS, log_mel_spectrogram

CHANNELS = 2 * MELS + 3
"""Mel bands, their deltas, loudness, pitch, voicing."""
PITCH_WINDOW = 1024
"""Number of samples in which a pitch period is searched: 64 ms."""
LOWEST_PITCH, HIGHEST_PITCH = 65.0, 500.0
"""Hertz."""
OCTAVE_COST = 0.03
"""Penalty for candidates an octave lower, because multiples of a period fit as well as the period.
"""
PIECES_AT_ONCE = 2000
"""Number of frames whose autocorrelation is held in memory at once."""
VOICED = 0.5
"""Normalised autocorrelation above which a frame counts as voiced."""


def prosody(waveform: Tensor) -> Tensor:
    """Return `[163, N // 160]`: channels with zero mean and unit variance over a typical recording.

    Args:
        waveform: `[N]` float32 in [-1, 1] at 16 kHz, N at least 640.
    """
    mel = log_mel_spectrogram(waveform)
    mel = mel - mel.mean()
    pitch, voicing = track_pitch(waveform, mel.shape[1])
    loudness = mel.mean(0)
    rows = torch.stack([loudness, pitch, voicing - 0.5])
    return torch.cat([mel, 4.0 * deltas(mel), rows]) * 2.0


def deltas(channels: Tensor) -> Tensor:
    """Return the slope over five frames of each channel `[C, M]`, by regression (HTK book, 5.9)."""
    kernel = torch.tensor([-2.0, -1.0, 0.0, 1.0, 2.0], device=channels.device) / 10.0
    padded = F.pad(channels[:, None], (2, 2), mode="replicate")
    return F.conv1d(padded, kernel[None, None])[:, 0]


def track_pitch(waveform: Tensor, frames: int) -> tuple[Tensor, Tensor]:
    """Return `[frames]` octaves above the median pitch (0 if unvoiced) and voicing in [0, 1].

    Voicing is the highest peak of the autocorrelation over that of the window (Boersma, 1993).
    """
    padded = F.pad(waveform, (PITCH_WINDOW // 2, PITCH_WINDOW))
    pieces = padded.unfold(0, PITCH_WINDOW, HOP)[:frames]
    window = torch.hann_window(PITCH_WINDOW, device=waveform.device)
    own = _autocorrelation(window[None])
    shortest, longest = int(SAMPLE_RATE / HIGHEST_PITCH), int(SAMPLE_RATE / LOWEST_PITCH)
    preference = (
        OCTAVE_COST * torch.arange(shortest, longest, device=own.device).div(shortest).log2()
    )
    found = []
    for some in torch.split(pieces, PIECES_AT_ONCE):
        centred = (some - some.mean(1, keepdim=True)) * window
        peaks = (_autocorrelation(centred) / own)[:, shortest:longest]
        found.append((peaks - preference).clamp(0.0, 1.0).max(1))
    voicing = torch.cat([peak.values for peak in found])
    lag = torch.cat([peak.indices for peak in found])
    octaves = (SAMPLE_RATE / (lag + shortest)).log2()
    voiced = voicing > VOICED
    median = octaves[voiced].median() if bool(voiced.any()) else octaves.new_tensor(0.0)
    return torch.where(voiced, octaves - median, 0.0), voicing


def _autocorrelation(pieces: Tensor) -> Tensor:
    """Return `[P, L]` autocorrelations of `[P, L]` pieces, 1 at lag 0."""
    length = pieces.shape[1]
    power = torch.fft.rfft(pieces, 2 * length).abs().square()
    correlation: Tensor = torch.fft.irfft(power)[:, :length]
    return correlation / correlation[:, :1].clamp(min=1e-8)
