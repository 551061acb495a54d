"""A hostile file: how it is built, and the expected response."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

ACCEPTED = "accepted"
"""Expected for unusual but usable files."""


@dataclass(frozen=True)
class Hostile:
    """A file that no honest program writes, or that pretends to be something else.

    Attributes:
        name: what it attempts, unique in the corpus.
        build: builds it, deterministically.
        expected: problem codes, or ACCEPTED; several only for randomly damaged files.
    """

    name: str
    build: Callable[[], bytes]
    expected: tuple[str, ...]


def hostile(name: str, expected: str, build: Callable[..., bytes], *given: Any) -> Hostile:
    """Return the file that `build` makes from its arguments."""
    return Hostile(name, partial(build, *given), (expected,))
