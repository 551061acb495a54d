"""Strategies that damage valid and hostile bytes further."""

import zlib
from collections.abc import Callable, Sequence

from hypothesis import strategies as st

from tests.security.pictures import PNG_MAGIC

MAX_BYTES = 1 << 16
"""Maximum length of a seed; longer ones are truncated, so that more cases fit."""

EDGES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
"""Limits of integer types."""

Draw = Callable[[st.SearchStrategy[int]], int]
Mutation = Callable[[Draw, bytearray, bytes], None]


def _flip(draw: Draw, file: bytearray, _: bytes) -> None:
    file[_place(draw, file)] ^= 1 << draw(st.integers(0, 7))


def _set_number(draw: Draw, file: bytearray, _: bytes) -> None:
    place, size = _place(draw, file), draw(st.sampled_from((1, 2, 4, 8)))
    value = draw(st.sampled_from(EDGES)) % (1 << 8 * size)
    order = ("big", "little")[draw(st.integers(0, 1))]
    file[place : place + size] = value.to_bytes(size, "big" if order == "big" else "little")


def _drop(draw: Draw, file: bytearray, _: bytes) -> None:
    place = _place(draw, file)
    del file[place : place + draw(st.integers(1, 64))]


def _repeat(draw: Draw, file: bytearray, _: bytes) -> None:
    place = _place(draw, file)
    part = bytes(file[place : place + draw(st.integers(1, 64))])
    file[place:place] = part * draw(st.sampled_from((1, 3, 300)))


def _splice(draw: Draw, file: bytearray, other: bytes) -> None:
    place, start = _place(draw, file), draw(st.integers(0, max(0, len(other) - 1)))
    file[place:place] = other[start : start + draw(st.integers(1, 512))]


def _cut(draw: Draw, file: bytearray, _: bytes) -> None:
    del file[_place(draw, file) :]


MUTATIONS: Sequence[Mutation] = (_flip, _set_number, _drop, _repeat, _splice, _cut)


@st.composite
def mutated(draw: st.DrawFn, seeds: Sequence[Callable[[], bytes]]) -> bytes:
    """Draw one of the seeds, damaged up to eight times, perhaps spliced with another."""
    file = bytearray(draw(st.sampled_from(seeds))()[:MAX_BYTES])
    other = draw(st.sampled_from(seeds))()
    for mutate in draw(st.lists(st.sampled_from(MUTATIONS), max_size=8)):
        if file:
            mutate(draw, file, other)
    # With an invalid checksum, most changes of a PNG would not be parsed.
    return with_true_checksums(bytes(file)) if draw(st.booleans()) else bytes(file)


def with_true_checksums(file: bytes) -> bytes:
    """Return a PNG with valid checksums; other files unchanged."""
    if not file.startswith(PNG_MAGIC):
        return file
    repaired, place = bytearray(file), len(PNG_MAGIC)
    while place + 12 <= len(file):
        end = place + 8 + int.from_bytes(file[place : place + 4], "big")
        repaired[end : end + 4] = zlib.crc32(file[place + 4 : end]).to_bytes(4, "big")
        place = end + 4
    return bytes(repaired[: len(file)])


def _place(draw: Draw, file: bytearray) -> int:
    # Headers are at the start and decide most.
    furthest = draw(st.sampled_from((64, len(file)))) - 1
    return draw(st.integers(0, min(furthest, len(file) - 1)))
