"""Valid files, truncated and with flipped bits."""

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from tests.security.hostile import Hostile

CUTS = (0.02, 0.4, 0.95)
"""Remaining shares of a truncated file."""
NUM_FLIPS = 3
"""Number of damaged copies per file; the second is damaged ten times as much as the first, the
third a hundred times.
"""


def damaged(name: str, build: Callable[[], bytes], *expected: str) -> Iterator[Hostile]:
    """Yield the damaged copies of one file; which of the expected responses occurs is left to
    chance.
    """
    for kept in CUTS:
        yield Hostile(f"{name}_cut_to_{kept:.0%}", partial(_cut, build, kept), expected)
    for number in range(NUM_FLIPS):
        flips = 10**number * 3
        yield Hostile(f"{name}_with_{flips}_flips", partial(_flip, build, flips), expected)


def _cut(build: Callable[[], bytes], kept: float) -> bytes:
    file = build()
    return file[: round(len(file) * kept)]


def _flip(build: Callable[[], bytes], flips: int) -> bytes:
    file = bytearray(build())
    random = np.random.default_rng(flips)
    for position in random.integers(0, len(file), flips):
        file[position] ^= 1 << random.integers(8)
    return bytes(file)
