"""One small file per take with its progress, from which an interrupted run resumes."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from media.files import written_whole
from media.geometry import Square
from models.training.preparation.corpora.takes import Take
from models.training.preparation.rejection import Reason

LANDMARK_SCALE = 64.0
"""Stored landmarks are whole 64ths of a pixel of the crop."""


@dataclass(frozen=True)
class Record:
    """The record of a take.

    Attributes:
        reason, detail: why it was rejected, if it was.
        box: position of the crop in the footage.
        tracked: number of frames of the footage at 25 fps.
        correlations: of lips and loudness at each of LAGS; empty without sound.
        lag: frames by which the lips were moved against the sound; None until the clip is written.
        frames: number of frames of the clip.
    """

    reason: Reason | None = None
    detail: str = ""
    box: Square | None = None
    tracked: int = 0
    correlations: tuple[float, ...] = ()
    lag: int | None = None
    frames: int = 0

    @property
    def has_sound(self) -> bool:
        """Whether lips and sound could be compared."""
        return bool(self.correlations)


@dataclass(frozen=True)
class Outcome:
    """The outcome of a take, and its side of the split; None is neither."""

    take: Take
    split: str | None
    record: Record

    @property
    def shown(self) -> slice:
        """Which of the tracked frames the clip shows."""
        first = max(0, self.record.lag or 0)
        return slice(first, first + self.record.frames)

    @property
    def is_labelled_speech(self) -> bool:
        """Whether its sound can be used to learn emotion."""
        return self.take.emotion is not None and self.record.has_sound


@dataclass(frozen=True)
class Records:
    """The records of a corpus in their folder, each next to the take's landmarks."""

    folder: Path

    def read(self, name: str) -> Record | None:
        """Return a take's record, or None if it has not been processed."""
        path = self._path(name, "json")
        if not path.exists():
            return None
        fields = json.loads(path.read_text())
        return Record(
            **fields
            | {
                "reason": fields["reason"] and Reason(fields["reason"]),
                "box": fields["box"] and Square(*fields["box"]),
                "correlations": tuple(fields["correlations"]),
            }
        )

    def write(self, name: str, record: Record) -> None:
        """Save a record."""
        with written_whole(self._path(name, "json")) as partial:
            partial.write_text(json.dumps(asdict(record)))

    def read_landmarks(self, name: str) -> NDArray[np.int16]:
        """Return a take's landmarks `[T, 79, 2]` in 64ths of a pixel of the crop."""
        landmarks: NDArray[np.int16] = np.load(self._path(name, "npy"))
        return landmarks

    def write_landmarks(self, name: str, landmarks: NDArray[np.float32]) -> None:
        """Save landmarks `[T, 79, 2]` in pixels of the crop."""
        limits = np.iinfo(np.int16)
        scaled = np.clip((landmarks * LANDMARK_SCALE).round(), limits.min, limits.max)
        with written_whole(self._path(name, "npy")) as partial, partial.open("wb") as file:
            np.save(file, scaled.astype(np.int16))

    def _path(self, name: str, suffix: str) -> Path:
        return self.folder / f"{name}.{suffix}"
