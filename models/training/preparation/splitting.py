"""The split: validation clips have unseen speakers with unseen sentences."""

import hashlib
from collections.abc import Iterable

from models.training.preparation.corpora.takes import Take

PEOPLE_HELD_OUT = 0.1
SENTENCES_HELD_OUT = 1 / 6
"""Of CREMA-D, 11 of 91 actors and one of 12 sentences; of MEAD, 7 of 40 sentence numbers."""

TRAIN, VAL = "train", "val"


def split_takes(takes: Iterable[Take]) -> dict[str, str | None]:
    """Return "train", "val" or None (only one of both is held out) for each take's name.

    Hashes of the names decide, so that the split does not change when takes are added. If the
    sentences are unknown, the speaker alone decides.
    """
    takes = list(takes)
    people = held_out({take.person for take in takes}, PEOPLE_HELD_OUT)
    sentences = held_out({take.sentence for take in takes if take.sentence}, SENTENCES_HELD_OUT)
    return {take.name: _half(take, people, sentences) for take in takes}


def held_out(names: set[str], share: float) -> set[str]:
    """Return about this share of the names, by hash; of two or more, at least one."""
    if len(names) < 2:
        return set()
    chosen = {name for name in names if _place(name) < share}
    return chosen or {min(names, key=_place)}


def _half(take: Take, people: set[str], sentences: set[str]) -> str | None:
    new_person = take.person in people
    new_sentence = take.sentence in sentences
    if not people or not sentences:
        new_sentence = new_person
    if new_person != new_sentence:
        return None
    return VAL if new_person else TRAIN


def _place(name: str) -> float:
    """Map a name to a number between 0 and 1."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little") / 2**64
