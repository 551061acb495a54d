"""Labelled recordings of acted speech, listed in `speech/labels.csv`."""

import csv
from dataclasses import dataclass
from pathlib import Path

from media.emotions import EMOTIONS, Emotion

HELD_OUT_SPEAKERS = frozenset({"ravdess_05", "ravdess_06", "ravdess_13", "ravdess_14"})
"""Two men and two women kept out of training, for validation; the split column lists others."""
LABELS = {"calm": Emotion.NEUTRAL} | {str(emotion): emotion for emotion in EMOTIONS}
"""Meaning of each corpus label; recordings with other labels (boredom) are skipped."""
STRENGTHS = {"weak": 0.3, "normal": 0.6, "strong": 1.0}


@dataclass(frozen=True)
class Recording:
    """A labelled recording on disk; strength 0 (neutral) to 1 (strong)."""

    path: Path
    speaker: str
    emotion: Emotion
    strength: float
    held_out: bool = False


def list_recordings(data: Path) -> list[Recording]:
    """Return all recordings of `speech/labels.csv` with a known label."""
    with (data / "speech" / "labels.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["emotion"] in LABELS]
    return [
        Recording(
            path=data / "speech" / row["file"],
            speaker=row["speaker"],
            emotion=LABELS[row["emotion"]],
            strength=0.0
            if LABELS[row["emotion"]] is Emotion.NEUTRAL
            else STRENGTHS[row["intensity"]],
            held_out=row["speaker"] in HELD_OUT_SPEAKERS or row.get("split") == "val",
        )
        for row in rows
    ]
