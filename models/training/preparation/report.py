"""The report on a corpus: what was kept, what was rejected and why, and how far lips were moved."""

import csv
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from media.audio import FRAME_RATE
from media.files import written_whole
from models.training.preparation.lip_lag import LAGS
from models.training.preparation.records import Outcome
from models.training.preparation.splitting import TRAIN, VAL

COLUMNS = ("take", "person", "split", "reason", "detail", "frames", "lag", "correlation")


def write_report(folder: Path, corpus: str, outcomes: Sequence[Outcome]) -> None:
    """Write report.md for people and report.csv, one row per take, for programs."""
    with (
        written_whole(folder / "report.csv") as partial,
        partial.open("w", newline="") as file,
    ):
        csv.writer(file).writerows([COLUMNS, *map(_row, outcomes)])
    with written_whole(folder / "report.md") as partial:
        partial.write_text("\n".join(_lines(corpus, outcomes)) + "\n")


def _row(outcome: Outcome) -> list[str]:
    record = outcome.record
    return [
        outcome.take.name,
        outcome.take.person,
        outcome.split or "",
        record.reason or "",
        record.detail,
        str(record.frames),
        "" if record.lag is None else str(record.lag),
        f"{record.correlations[LAGS.index(record.lag)]:.3f}"
        if record.lag is not None and record.has_sound
        else "",
    ]


def _lines(corpus: str, outcomes: Sequence[Outcome]) -> Iterator[str]:
    kept = [outcome for outcome in outcomes if outcome.record.reason is None]
    yield f"# {corpus}: {len(kept)} of {len(outcomes)} takes kept\n"
    yield from _table(
        ("split", "clips", "people", "sentences", "minutes", "with sound"),
        (_side(split, kept) for split in (TRAIN, VAL)),
    )
    reasons = Counter(str(o.record.reason) for o in outcomes if o.record.reason)
    if reasons:
        yield from _table(("left out because", "takes"), reasons.most_common())
    lags = Counter(o.record.lag or 0 for o in kept if o.record.has_sound)
    yield "Frames of 40 ms by which lips trailed the sound and were moved; 0 is as it was.\n"
    yield from _table(("lag", "clips"), sorted(lags.items()))


def _side(split: str, kept: Iterable[Outcome]) -> tuple[object, ...]:
    clips = [outcome for outcome in kept if outcome.split == split]
    return (
        split,
        len(clips),
        len({clip.take.person for clip in clips}),
        len({clip.take.sentence or clip.take.name for clip in clips}),
        f"{sum(clip.record.frames for clip in clips) / FRAME_RATE / 60:.1f}",
        sum(clip.record.has_sound for clip in clips),
    )


def _table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    for cells in (header, ["---"] * len(header), *rows):
        yield f"| {' | '.join(map(str, cells))} |"
    yield ""
