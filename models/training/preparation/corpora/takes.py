"""What a corpus holds: takes, each of one person saying one sentence once."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from media.emotions import Emotion


class LayoutError(ValueError):
    """The folder is not laid out as its corpus is published."""


class Intensity(StrEnum):
    """How strongly an emotion was acted, in the words of speech/labels.csv."""

    WEAK = "weak"
    NORMAL = "normal"
    STRONG = "strong"


@dataclass(frozen=True)
class Take:
    """One recording.

    Attributes:
        name: unique in the corpus; the clip's stem.
        person: who speaks, unique across corpora.
        sentence: what is said; None where that is unknown.
        video: the pictures.
        sound: the speech; the video itself where there is no file of its own.
        flaw: why the take is known to be useless, or nothing.
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
            raise LayoutError(f"{count} takes of {self.name} would be called {name!r}.")


def find_files(root: Path, pattern: str, suffixes: Iterable[str]) -> list[Path]:
    """Return the files under `root` that match, sorted; hidden ones are left out.

    Raises:
        LayoutError: there is none.
    """
    wanted = tuple(suffixes)
    found = [path for path in root.glob(pattern) if path.suffix.lower() in wanted]
    found = sorted(path for path in found if not path.name.startswith("."))
    if not found:
        raise LayoutError(f"{root} holds no {pattern} that ends in {', '.join(wanted)}.")
    return found
