"""Selects the channels of a recording that contain speech, by their content and not by name."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

SILENCE_PEAK = 1e-3
"""Peak (of full scale 1.0) below which a channel counts as silent: -60 dB."""
FAINT = 0.1
"""Level, relative to the loudest channel, below which a channel is left out: -20 dB."""
CANCELLED = 0.2
"""Share of the power that uncorrelated channels would keep when mixed, below which channels are
opposite to each other.
"""
LOW_FREQUENCY = {6: 3, 8: 3}
"""Number of the low-frequency channel among 6 and 8 in the usual order."""


@dataclass
class ChannelStatistics:
    """Collects peaks and covariances of all channels, chunk by chunk."""

    count: int
    samples: int = 0
    _sums: NDArray[np.float64] = field(init=False)
    _products: NDArray[np.float64] = field(init=False)
    _lowest: NDArray[np.float64] = field(init=False)
    _highest: NDArray[np.float64] = field(init=False)

    def __post_init__(self) -> None:
        self._sums = np.zeros(self.count)
        self._products = np.zeros((self.count, self.count))
        self._lowest, self._highest = np.full(self.count, np.inf), np.full(self.count, -np.inf)

    def add(self, samples: NDArray[np.float32]) -> None:
        """Add finite samples `[C, N]`."""
        chunk = samples.astype(np.float64)
        self.samples += chunk.shape[1]
        self._sums += chunk.sum(axis=1)
        self._products += chunk @ chunk.T
        self._lowest = np.minimum(self._lowest, chunk.min(axis=1))
        self._highest = np.maximum(self._highest, chunk.max(axis=1))

    @property
    def is_silent(self) -> bool:
        """Whether no channel holds a sound."""
        return not self.samples or bool((self._highest - self._lowest).max() / 2 < SILENCE_PEAK)

    @property
    def covariance(self) -> NDArray[np.float64]:
        """The covariance `[C, C]` of the channels."""
        mean = self._sums / max(self.samples, 1)
        return np.asarray(self._products / max(self.samples, 1) - np.outer(mean, mean))


def mixing_weights(covariance: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the weights `[C]` with which channels of a covariance `[C, C]` are mixed to one.

    Audible channels are averaged. If they cancel each other, the loudest is used alone.
    """
    count = len(covariance)
    levels = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    audible = levels >= FAINT * levels.max()
    bass = LOW_FREQUENCY.get(count)
    if bass is not None and audible.sum() > 1:
        audible[bass] = False
    weights = audible / max(audible.sum(), 1)
    power = weights @ covariance @ weights
    uncorrelated = float((weights**2) @ np.diag(covariance))
    if power < CANCELLED * uncorrelated:
        weights = np.eye(count)[int(levels.argmax())]
    return np.asarray(weights, np.float32)
