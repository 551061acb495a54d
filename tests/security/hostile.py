"""One hostile file: how it is built, and what the service shall say of it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

ACCEPTED = "accepted"
"""What is said of a file that is odd, yet can be used."""


@dataclass(frozen=True)
class Hostile:
    """A file that no honest program writes, or that pretends to be what it is not.

    Attributes:
        name: what it tries, unique in the corpus.
        build: makes it, the same each time.
        expected: problem codes, or ACCEPTED; several only where chance damaged the file.
    """

    name: str
    build: Callable[[], bytes]
    expected: tuple[str, ...]


def hostile(name: str, expected: str, build: Callable[..., bytes], *given: Any) -> Hostile:
    """Return the file that `build` makes of what it is given."""
    return Hostile(name, partial(build, *given), (expected,))
