"""The plan of faults: random, and the same for the same seed."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate, takewhile

from tests.faults.fleet import CHILD
from tests.faults.system import S3, VALKEY

MEAN_PAUSE = 2.0
"""Seconds between two faults, on average."""


class Deed(StrEnum):
    """The possible faults of a system."""

    KILL = "kill"
    STOP = "stop"
    TERMINATE = "terminate"
    REFUSE = "refuse at"
    BREAK = "break"
    FILL_MEMORY = "fill memory of"
    FILL_DISK = "fill disk of"
    DROP = "drop a message in"
    REPEAT = "repeat messages in"
    GARBLE = "garble a message in"
    DEPOSE = "depose the leader in"
    STEP = "step the clock of"
    EMPTY = "lose"


@dataclass(frozen=True)
class Kind:
    """A fault, its relative frequency, and its duration in seconds."""

    deed: Deed
    weight: float
    shortest: float = 0.0
    longest: float = 0.0


@dataclass(frozen=True)
class Fault:
    """One fault of a plan: its time and duration, in seconds of the chapter."""

    at: float
    deed: Deed
    target: str
    lasts: float


def kinds(targets: Sequence[str], *, has_clock: bool) -> Mapping[str, Sequence[Kind]]:
    """Return the possible faults of each target."""
    ways = {
        CHILD: (Kind(Deed.KILL, 3), Kind(Deed.STOP, 4, 0.3, 5)),
        "worker": (
            Kind(Deed.KILL, 1, 0, 3),
            Kind(Deed.STOP, 2, 0.3, 5),
            Kind(Deed.TERMINATE, 2, 4, 8),
        ),
        "service": (
            Kind(Deed.KILL, 2, 0, 3),
            Kind(Deed.STOP, 2, 0.3, 3),
            Kind(Deed.TERMINATE, 2, 3, 6),
        ),
        "reconciler": (Kind(Deed.KILL, 2, 0, 3), Kind(Deed.STOP, 3, 0.5, 5)),
        "webhooks": (Kind(Deed.KILL, 2, 0, 3), Kind(Deed.STOP, 2, 0.5, 4)),
        S3: (
            Kind(Deed.KILL, 1, 0, 3),
            Kind(Deed.STOP, 1, 0.5, 4),
            Kind(Deed.REFUSE, 3, 1, 6),
            Kind(Deed.BREAK, 3, 1, 6),
        ),
        VALKEY: (
            Kind(Deed.KILL, 3, 0, 3),
            Kind(Deed.STOP, 2, 0.5, 4),
            Kind(Deed.FILL_MEMORY, 2, 0.5, 3),
            Kind(Deed.FILL_DISK, 1, 1, 3),
            Kind(Deed.DROP, 3),
            Kind(Deed.REPEAT, 4),
            Kind(Deed.GARBLE, 1),
            Kind(Deed.DEPOSE, 3),
            *((Kind(Deed.STEP, 1),) if has_clock else ()),
        ),
    }
    return {name: ways[_role(name)] for name in targets}


def draw(
    rng: random.Random, targets: Sequence[str], seconds: float, *, has_clock: bool, is_emptied: bool
) -> tuple[Fault, ...]:
    """Return the faults of one chapter, in order.

    In a chapter in which Valkey loses its data, the object store works, because it holds the
    journal.
    """
    choices = [
        (name, kind)
        for name, ways in kinds(targets, has_clock=has_clock).items()
        for kind in ways
        if not (is_emptied and name == S3)
    ]
    weights = [kind.weight for _, kind in choices]
    pauses = (rng.expovariate(1 / MEAN_PAUSE) for _ in iter(int, 1))
    faults, free = [], dict.fromkeys(targets, 0.0)
    for at in takewhile(lambda moment: moment < seconds, accumulate(pauses)):
        name, kind = rng.choices(choices, weights)[0]
        lasts = rng.uniform(kind.shortest, kind.longest)
        if at >= free[name]:
            free[name] = at + lasts + 1
            faults.append(Fault(at, kind.deed, name, lasts))
    if is_emptied:
        faults.append(Fault(rng.uniform(0.4, 0.8) * seconds, Deed.EMPTY, VALKEY, 0))
    return tuple(sorted(faults, key=lambda fault: fault.at))


def _role(name: str) -> str:
    return CHILD if name.endswith(CHILD) else name.rpartition("-")[0] or name
