"""How much effort is in a voice, from what levelling leaves of it: tilt, pitch, dynamics."""

import torch
import torch.nn.functional as F
from torch import Tensor

from models.speech_to_landmarks.emotion_encoder import PROSODY_PER_FRAME
from models.speech_to_landmarks.spectrogram import MELS

LOW_BANDS, HIGH_BANDS = slice(2, 22), slice(50, 80)
"""Mel bands whose difference is the spectral tilt: about 100-1000 Hz against 3-8 kHz."""
LOUDNESS, PITCH, VOICING = 2 * MELS, 2 * MELS + 1, 2 * MELS + 2
"""Rows of the prosody."""
AROUND = 75
"""Video frames over which a voice's manner is measured: 3 s."""
QUICK, SLOW = 5, 5
EFFORT = QUICK + SLOW
"""Channels: those of the moment, then those of the manner."""


def vocal_effort(prosody: Tensor) -> Tensor:
    """Return `[B, T, 10]` channels of effort of prosody `[B, 163, 4T]`.

    The first five are of the moment: loudness, pitch, voicing, tilt and the slope of loudness. The
    other five are of the 3 s around it, weighted by voicing: the means of pitch, tilt and voicing,
    the deviations of pitch and loudness.
    """
    tilt = prosody[:, LOW_BANDS].mean(1) - prosody[:, HIGH_BANDS].mean(1)
    rows = [prosody[:, LOUDNESS], prosody[:, PITCH], prosody[:, VOICING], 0.5 * tilt]
    moment = F.avg_pool1d(torch.stack(rows, dim=1), PROSODY_PER_FRAME)
    loudness, pitch, voicing, tilt = moment.unbind(1)
    voiced = (voicing + 1.0).clamp(0.01, 2.0)
    mean = {"pitch": pitch, "tilt": tilt, "loudness": loudness}
    around = {name: _around(row, voiced) for name, row in mean.items()}
    slow = [
        around["pitch"],
        around["tilt"],
        _around(voicing, torch.ones_like(voicing)),
        _deviation(pitch, around["pitch"], voiced),
        _deviation(loudness, around["loudness"], voiced),
    ]
    slope = torch.zeros_like(loudness)
    slope[:, 1:-1] = loudness[:, 2:] - loudness[:, :-2]
    return torch.stack([loudness, pitch, voicing, tilt, slope, *slow], dim=-1)


def _around(row: Tensor, weight: Tensor) -> Tensor:
    """Return the weighted mean over AROUND frames of a row `[B, T]`."""
    return _sum(row * weight) / _sum(weight)


def _deviation(row: Tensor, mean: Tensor, weight: Tensor) -> Tensor:
    return (_around(row.square(), weight) - mean.square()).clamp(min=1e-6).sqrt()


def _sum(row: Tensor) -> Tensor:
    half = AROUND // 2
    padded = F.pad(row[:, None], (half, half))
    return F.avg_pool1d(padded, AROUND, 1)[:, 0] + 1e-6
