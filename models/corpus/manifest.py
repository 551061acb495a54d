"""The manifest of the clips in the data folder."""

import csv
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

Row = dict[str, str]


def clip_rows(data: Path, split: str) -> Iterator[Row]:
    """Yield the rows of manifest.csv that are clips of a split, without stills."""
    with (data / "manifest.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            if row["split"] == split and row["file"].startswith("clips/"):
                yield row


def largest_set(data: Path, split: str) -> str:
    """Return the set with the most clips of a split.

    Raises:
        ValueError: the folder holds no clip of that split.
    """
    counts = Counter(row["set"] for row in clip_rows(data, split))
    if not counts:
        raise ValueError(f"{data / 'manifest.csv'} lists no {split} clip.")
    return counts.most_common(1)[0][0]
