"""Clips of speaking faces in the data folder, and the synchronization of their sound."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from media.audio import SAMPLE_RATE, SAMPLES_PER_FRAME, read_waveform
from media.errors import AudioSilent
from models.corpus.alignment import AlignedClip, align
from models.corpus.manifest import split_of
from models.speech_to_landmarks.speech_encoder import STATE_RATE, STATES_PER_FRAME

Array = NDArray[np.float32]

IN_STEP = frozenset({"grid", "grid_speech", "ravdess"})
"""Sets recorded with sound and picture in sync."""
PUT_IN_STEP = frozenset({"mead", "crema-d"})
"""Studio recordings synchronized by `models.training.preparation`, person by person."""
SAMPLES_PER_STATE = SAMPLE_RATE // STATE_RATE


@dataclass(frozen=True)
class SourceClip:
    """A row of the manifest with its files: waveform `[N]` and decomposed landmarks."""

    name: str
    set: str
    split: str
    person: str
    emotion: str
    in_step: bool
    waveform: Array
    aligned: AlignedClip


def read_clips(data: Path) -> Iterator[SourceClip]:
    """Yield all clips of the manifest that have sound."""
    landmarks = {path.stem: np.load(path) for path in (data / "landmarks").glob("*_*.npz")}
    with (data / "manifest.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["audio"] == "1"]
    for row in rows:
        name = Path(row["file"]).stem
        try:
            waveform = read_waveform(data / row["file"])
        except AudioSilent:
            continue
        tracked = landmarks[f"{row['set']}_{row['split']}"][name].astype(np.float32) / 64.0
        yield SourceClip(
            name=name,
            set=row["set"],
            split=split_of(row),
            person=row["identity"],
            emotion=row["emotion"],
            in_step=is_in_step(data, row["set"]),
            waveform=fit_length(waveform, len(tracked)),
            aligned=align(tracked),
        )


def is_in_step(data: Path, name: str) -> bool:
    """Return whether a set's sound needs no shift: it was recorded or prepared in sync."""
    return name in IN_STEP or (name in PUT_IN_STEP and (data / "preparation" / name).is_dir())


def fit_length(waveform: Array, frames: int) -> Array:
    """Return the waveform cut or padded with silence to `frames` video frames."""
    fitted = np.zeros(frames * SAMPLES_PER_FRAME, np.float32)
    kept = min(len(waveform), len(fitted))
    fitted[:kept] = waveform[:kept]
    return fitted


def shift(clip: SourceClip, lag: int) -> SourceClip:
    """Return the clip with its sound moved earlier by `lag` states, without the frames that lose
    their sound.
    """
    frames, samples = overlap(len(clip.aligned.motion), lag)
    aligned = replace(
        clip.aligned, motion=clip.aligned.motion[frames], pose=clip.aligned.pose[frames]
    )
    return replace(clip, waveform=clip.waveform[samples], aligned=aligned)


def overlap(frames: int, lag: int) -> tuple[slice, slice]:
    """Return which of `frames` video frames have sound, and its samples, for a lag in states."""
    lost = -(-abs(lag) // STATES_PER_FRAME)
    first, kept = (lost if lag < 0 else 0), frames - lost
    start = first * SAMPLES_PER_FRAME + lag * SAMPLES_PER_STATE
    return slice(first, first + kept), slice(start, start + kept * SAMPLES_PER_FRAME)
