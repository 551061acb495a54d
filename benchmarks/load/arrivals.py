"""When jobs arrive: independent of whether earlier ones have ended (an open loop)."""

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Arrivals:
    """Jobs that arrive at random, at a rate that changes over time.

    Attributes:
        seconds: how long jobs arrive.
        peak: the largest rate, in jobs a second.
        share: the rate as a share of the peak, at a time from 0 to 1.
    """

    name: str
    seconds: float
    peak: float
    share: Callable[[float], float]

    def times(self, seed: int) -> Iterator[float]:
        """Yield the times of the jobs, in seconds from the start.

        They are an inhomogeneous Poisson process, drawn by thinning (Lewis and Shedler, 1979).
        """
        chance = random.Random(seed)
        at = chance.expovariate(self.peak)
        while at < self.seconds:
            if chance.random() < self.share(at / self.seconds):
                yield at
            at += chance.expovariate(self.peak)


def steady(at: float) -> float:
    """The same rate at all times."""
    return 1.0


def burst(at: float) -> float:
    """A tenth of the peak; the peak in the fifth of the time that begins after a fifth."""
    return 1.0 if 0.2 <= at < 0.4 else 0.1


def day(at: float) -> float:
    """Return the rate over a day, from midnight to midnight: zero at night, highest at noon."""
    return max(0.0, -math.cos(2 * math.pi * at))


PROFILES = {"steady": steady, "burst": burst, "day": day}
