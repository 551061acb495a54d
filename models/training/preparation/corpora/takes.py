"""The content of a corpus: takes, each of one person speaking one sentence once."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from media.emotions import Emotion


class LayoutError(ValueError):
    """The folder does not have the published layout of its corpus."""


class Intensity(StrEnum):
    """How strongly an emotion was acted, in the terms of speech/labels.csv."""

    WEAK = "weak"
    NORMAL = "normal"
    STRONG = "strong"


@dataclass(frozen=True)
class Take:
    """One recording.

    Attributes:
        name: unique in the corpus; the clip's stem.
        person: the speaker, unique across corpora.
        sentence: the sentence; None if unknown.
        video: the pictures.
        sound: the speech; the video itself if there is no separate file.
        flaw: why the take is known to be unusable, or empty.
    """

    name: str
    person: str
    sentence: str | None
    video: Path
    sound: Path
    emotion: Emotion | None = None
    intensity: Intensity | None = None
    flaw: str = ""


@dataclass(frozen=True)
class Corpus:
    """Takes under one name; `licence` and `language` go into the tables."""

    name: str
    language: str
    licence: str
    takes: tuple[Take, ...]

    def __post_init__(self) -> None:
        (name, count), *_ = Counter(take.name for take in self.takes).most_common(1)
        if count > 1:
            raise LayoutError(f"{count} takes of {self.name} would have the name {name!r}.")


def find_files(root: Path, pattern: str, suffixes: Iterable[str]) -> list[Path]:
    """Return the matching files under `root`, sorted, without hidden ones.

    Raises:
        LayoutError: there is none.
    """
    wanted = tuple(suffixes)
    found = [path for path in root.glob(pattern) if path.suffix.lower() in wanted]
    found = sorted(path for path in found if not path.name.startswith("."))
    if not found:
        raise LayoutError(f"{root} contains no {pattern} that ends in {', '.join(wanted)}.")
    return found
