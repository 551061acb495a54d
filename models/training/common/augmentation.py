"""Augmentation of recordings: speed, pitch, level, noise and rooms."""

import numpy as np
from numpy.typing import NDArray

from media.audio import SAMPLE_RATE

Waveform = NDArray[np.float32]


def change_speed(values: NDArray[np.float32], speed: float) -> NDArray[np.float32]:
    """Return a sequence `[N, ...]` played `speed` times as fast, interpolated: `[N / speed, ...]`.

    A waveform's pitch rises with its speed; landmarks resampled by the same factor stay in sync.
    """
    length = max(1, round(len(values) / speed))
    at = np.clip(np.arange(length) * speed, 0, len(values) - 1)
    before = np.floor(at).astype(int)
    after = np.minimum(before + 1, len(values) - 1)
    part = (at - before).reshape(-1, *[1] * (values.ndim - 1)).astype(np.float32)
    out: NDArray[np.float32] = values[before] * (1 - part) + values[after] * part
    return out.astype(np.float32)


def disturb(waveform: Waveform, rng: np.random.Generator) -> Waveform:
    """Return the waveform at another level, often with reverberation or noise."""
    if rng.random() < 0.5:
        waveform = reverberate(waveform, rng.uniform(0.1, 0.6), rng)
    if rng.random() < 0.6:
        waveform = add_noise(waveform, rng.uniform(5.0, 35.0), rng)
    return waveform * np.float32(10 ** rng.uniform(-0.8, 0.3))


def reverberate(waveform: Waveform, decay: float, rng: np.random.Generator) -> Waveform:
    """Convolve with exponentially decaying noise that falls by 60 dB in `decay` seconds."""
    # Imported here because the import takes seconds.
    from scipy.signal import fftconvolve  # type: ignore[attr-defined]

    time = np.arange(int(decay * SAMPLE_RATE)) / SAMPLE_RATE
    tail = rng.standard_normal(len(time)) * np.exp(-6.9 * time / decay)
    room = 0.5 * rng.random() * tail / np.linalg.norm(tail)
    room[0] = 1.0
    out: Waveform = fftconvolve(waveform, room)[: len(waveform)].astype(np.float32)
    return out


def add_noise(waveform: Waveform, ratio: float, rng: np.random.Generator) -> Waveform:
    """Add noise `ratio` dB below the speech, with a spectrum that falls by 0 to 6 dB per octave."""
    noise = coloured_noise(len(waveform), rng.uniform(0.0, 1.0), rng)
    power = float(np.mean(waveform**2))
    return waveform + noise * np.float32(np.sqrt(power * 10 ** (-ratio / 10)))


def coloured_noise(length: int, slope: float, rng: np.random.Generator) -> Waveform:
    """Return `[length]` noise of unit power whose amplitude falls as frequency to the `slope`."""
    spectrum = np.fft.rfft(rng.standard_normal(length))
    spectrum /= np.maximum(np.arange(len(spectrum)), 1) ** slope
    noise = np.fft.irfft(spectrum, length)
    out: Waveform = (noise / (noise.std() + 1e-9)).astype(np.float32)
    return out
