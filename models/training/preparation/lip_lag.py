"""Estimates how far a person's lips lag the sound, pooled over all of the person's takes.

One take is not enough: in clips of a second, the loudness fits other people's lips nearly as well.
All takes of a person come from the same camera and microphone, so their evidence is summed. Lags
below a frame or two are found later, by `models.corpus.audio_lag`.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.metrics.definitions import correlation, lip_opening
from models.metrics.lip_sync import speech_envelope

LAGS = tuple(range(-5, 6))
"""Frames at 25 fps by which the lips may lag the sound; negative if they lead."""
MIN_CORRELATION, MIN_EVIDENCE, MIN_LAG = 0.3, 6.0, 2
"""Thresholds of a clear lag: pooled r, log-likelihood above no lag, frames. Of 150 clips of 3 s
known to be in sync, none was moved, alone or in pools of 3 and 10. When the same were shifted by
2 to 4 frames, all pools of 10 were corrected, 50 to 76 % of the pools of 3, and 7 to 9 % of
single clips.
"""
FRAMES_A_SAMPLE = 4.0
"""Frames that count as one independent observation."""


def correlations(
    landmarks: NDArray[np.float32], waveform: NDArray[np.float32]
) -> tuple[float, ...]:
    """Return Pearson's r of lip opening `[T, 79, 2]` and loudness `[N]` at each of LAGS."""
    opening, loudness = lip_opening(landmarks), speech_envelope(waveform)
    length = min(len(opening), len(loudness))
    return tuple(
        correlation(
            opening[max(0, lag) : length + min(0, lag)],
            loudness[max(0, -lag) : length - max(0, lag)],
        )
        for lag in LAGS
    )


def pooled_lag(takes: Sequence[tuple[int, Sequence[float]]]) -> int:
    """Return the common lag in frames of takes given as (frames, correlations); 0 unless it is
    clear.
    """
    if not takes:
        return 0
    frames = np.array([count for count, _ in takes], float)
    r = np.clip([curve for _, curve in takes], -0.99, 0.99)
    # Fisher's z, whose errors are normal, so that it may be averaged.
    pooled = np.tanh(np.average(np.arctanh(r), axis=0, weights=frames))
    fit = -0.5 * frames.sum() / FRAMES_A_SAMPLE * np.log(1 - np.maximum(pooled, 0) ** 2)
    best = int(np.argmax(fit))
    evidence = fit[best] - fit[LAGS.index(0)]
    clear = pooled[best] >= MIN_CORRELATION and evidence >= MIN_EVIDENCE
    return LAGS[best] if clear and abs(LAGS[best]) >= MIN_LAG else 0
