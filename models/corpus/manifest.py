"""The manifest of the clips in the data folder."""

import csv
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

Row = dict[str, str]

HELD_OUT_PEOPLE = frozenset(
    f"talkvid_tv{number}" for number in ("03", "08", "14", "19", "24", "30", "36", "42")
)
"""Validation people of sets published without a validation split; six of them have sound."""


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


def split_of(row: Mapping[str, str]) -> str:
    """Return the split of a row of the manifest; held-out people are validation data."""
    return "val" if row["identity"] in HELD_OUT_PEOPLE else row["split"]


def held_out_clips(data: Path) -> Iterator[Row]:
    """Yield the rows of the clips whose people are held out of sets without a validation split."""
    return (row for row in clip_rows(data, "train") if split_of(row) == "val")
