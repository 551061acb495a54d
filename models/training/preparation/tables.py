"""The tables of the data folder: landmarks, manifest.csv and speech/labels.csv.

Each is rewritten for one corpus; the entries of other corpora stay.
"""

import csv
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from media.files import written_whole
from models.training.preparation.corpora.takes import Corpus
from models.training.preparation.records import Outcome, Records
from models.training.preparation.splitting import TRAIN, VAL

MANIFEST = ("file", "set", "split", "identity", "emotion", "audio", "frames", "licence")
LABELS = (
    *("file", "corpus", "speaker", "emotion", "intensity", "sentence", "language", "licence"),
    "split",
)


def clip_path(corpus: str, split: str, name: str) -> Path:
    """Return the path of a clip in the data folder."""
    return Path("clips", corpus, split, f"{name}.mp4")


def speech_path(corpus: str, name: str) -> Path:
    """Return the path of a labelled recording in the data folder's speech folder."""
    return Path(corpus, f"{name}.flac")


def write_tables(data: Path, corpus: Corpus, clips: Sequence[Outcome], records: Records) -> None:
    """Write all tables of a corpus's clips."""
    for split in (TRAIN, VAL):
        arrays = (
            (clip.take.name, records.read_landmarks(clip.take.name)[clip.shown])
            for clip in clips
            if clip.split == split
        )
        write_arrays(data / "landmarks" / f"{corpus.name}_{split}.npz", arrays)
    rows = [_manifest_row(corpus, clip) for clip in clips]
    _replace_rows(data / "manifest.csv", MANIFEST, ("set", corpus.name), rows)
    labels = [_label_row(corpus, clip) for clip in clips if clip.is_labelled_speech]
    _replace_rows(data / "speech" / "labels.csv", LABELS, ("corpus", corpus.name), labels)


def write_arrays(path: Path, arrays: Iterable[tuple[str, NDArray[np.int16]]]) -> None:
    """Write named arrays as an .npz file, holding one at a time in memory."""
    with written_whole(path) as partial, zipfile.ZipFile(partial, "w") as archive:
        for name, array in arrays:
            with archive.open(f"{name}.npy", "w") as file:
                np.lib.format.write_array(file, array)


def _manifest_row(corpus: Corpus, clip: Outcome) -> dict[str, str]:
    take = clip.take
    return {
        "file": clip_path(corpus.name, clip.split or "", take.name).as_posix(),
        "set": corpus.name,
        "split": clip.split or "",
        "identity": take.person,
        "emotion": take.emotion or "",
        "audio": str(int(clip.record.has_sound)),
        "frames": str(clip.record.frames),
        "licence": corpus.licence,
    }


def _label_row(corpus: Corpus, clip: Outcome) -> dict[str, str]:
    take = clip.take
    return {
        "file": speech_path(corpus.name, take.name).as_posix(),
        "corpus": corpus.name,
        "speaker": take.person,
        "emotion": take.emotion or "",
        "intensity": take.intensity or "",
        "sentence": take.sentence or "",
        "language": corpus.language,
        "licence": corpus.licence,
        "split": clip.split or "",
    }


def _replace_rows(
    path: Path, columns: Sequence[str], key: tuple[str, str], rows: Sequence[dict[str, str]]
) -> None:
    """Write a table in which these rows replace all whose column `key[0]` is `key[1]`."""
    kept: list[dict[str, str]] = []
    if path.exists():
        with path.open(newline="") as file:
            kept = [row for row in csv.DictReader(file) if row[key[0]] != key[1]]
    with written_whole(path) as partial, partial.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="")
        writer.writeheader()
        writer.writerows([*kept, *rows])
