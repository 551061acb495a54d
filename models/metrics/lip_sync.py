"""Lip sync of any talking-face video, measured without a trained network."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from media.audio import SAMPLE_RATE, SAMPLES_PER_FRAME, num_frames, read_waveform
from media.faces.landmarks import LandmarkDetector
from media.video import read_frames
from models.metrics.definitions import correlate, lip_opening

MAX_LAG = 3
"""Frames at 25 fps by which lips may lead or lag the sound; viewers notice more."""
IN_SYNC = 0.3
"""Correlation that separates talking from not talking. Of 90 real clips of 3 s, 98 % reach it, and
3 % after shuffling their frames; joined to 45 clips of 6 s, all and 0.2 %. It cannot tell
whether the lips speak *these* words.
"""
MIN_OPENING_RANGE = 0.05
"""Inter-oculars; real clips' lips travel 0.13 to 0.21, those of a still face less than 0.001."""

_SPEECH_BAND = (200.0, 3500.0)
"""Hertz: vowels, which open the mouth, and little of the hiss of s and f, which close it."""
_FLOOR = 0.02
"""Relative to the loudest frame: 34 dB below, where pauses and room noise are equal."""


@dataclass(frozen=True)
class LipSync:
    """How a video's lips move with its sound.

    Attributes:
        correlation: Pearson's r of lip opening and loudness at the best lag, -1 to 1.
        lag: frames by which the lips lag the sound there; negative if they lead.
        opening_range: the lips' travel between the 5th and 95th percentile, in inter-oculars.
    """

    correlation: float
    lag: int
    opening_range: float

    @property
    def in_sync(self) -> bool:
        """Whether the lips follow the speech like a talking person's."""
        return self.correlation >= IN_SYNC and self.opening_range >= MIN_OPENING_RANGE


def measure_lip_sync(video: Path, detector: LandmarkDetector) -> LipSync:
    """Measure a video file at 25 fps: decode it, track its face, compare with its own sound.

    Raises:
        NoFace, AudioError: the video shows no face, or its sound cannot be used.
    """
    opening = lip_opening(detector.track(read_frames(video)))
    correlation, lag = correlate(opening, speech_envelope(read_waveform(video)), MAX_LAG)
    low, high = np.percentile(opening, (5, 95))
    return LipSync(correlation, lag, float(high - low))


def speech_envelope(waveform: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the loudness `[T]` in dB of a 16 kHz waveform `[N]`'s speech band, at 25 fps.

    Each frame is a window of 80 ms around its middle.
    """
    frames = num_frames(waveform)
    length = frames * SAMPLES_PER_FRAME
    padded = np.pad(waveform[:length], (0, max(0, length - len(waveform))))
    spectrum = np.fft.rfft(padded)
    frequency = np.fft.rfftfreq(length, 1 / SAMPLE_RATE)
    spectrum[(frequency < _SPEECH_BAND[0]) | (frequency > _SPEECH_BAND[1])] = 0
    power = np.pad(np.fft.irfft(spectrum, length) ** 2, SAMPLES_PER_FRAME // 2)
    windows = np.lib.stride_tricks.sliding_window_view(power, 2 * SAMPLES_PER_FRAME)
    loudness = np.sqrt(windows[::SAMPLES_PER_FRAME].mean(axis=1))
    floor = _FLOOR * loudness.max() + np.finfo(np.float32).tiny
    return np.asarray(20 * np.log10(loudness + floor), np.float32)
