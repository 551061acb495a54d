"""Held-out clips, with sound and pictures in sync."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from media.audio import read_waveform
from media.faces.landmarks import CROP_EYE_LEVEL, CROP_INTEROCULARS, CROP_SIZE
from models.corpus.alignment import hold_still
from models.corpus.audio_lag import LAGS_FILE, measure_lags
from models.corpus.clips import at_side, read_clip, read_landmarks, spread
from models.corpus.manifest import clip_rows
from models.corpus.source_clips import fit_length, overlap, read_clips
from models.face.retargeting import NormalFrame, normalize_landmarks
from models.speech_to_landmarks.speech_encoder import SpeechEncoder

Points = NDArray[np.float32]

CROP_FRAME = NormalFrame(
    origin=np.array([CROP_SIZE / 2, CROP_SIZE * CROP_EYE_LEVEL], np.float32),
    axis=np.array([CROP_SIZE / CROP_INTEROCULARS, 0], np.float32),
)
"""Position of a face's normal form on an aligned 256x256 crop."""


@dataclass(frozen=True)
class HeldOutClip:
    """A clip of a validation set.

    Attributes:
        waveform: `[640 T]` samples in sync with the frames; None if the clip has no speech.
        landmarks: `[T, 79, 2]` px of the clip's own frames, smoothed.
        frames: which of the file's frames these are.
    """

    set: str
    name: str
    path: Path
    waveform: NDArray[np.float32] | None
    landmarks: Points
    frames: slice

    def pictures(self) -> NDArray[np.uint8]:
        """Decode the frames `[T, 256, 256, 3]`, whatever the clip's own size."""
        frames = read_clip(self.path)[self.frames]
        return np.stack([at_side(frame, CROP_SIZE) for frame in frames])

    def aligned(self) -> Points:
        """Return the landmarks `[T, 79, 2]` px on an aligned crop, without head motion."""
        return CROP_FRAME.to_pixels(hold_still(self.landmarks)[0])

    def moving(self) -> Points:
        """Return the landmarks `[T, 79, 2]` px on an aligned crop, with head motion."""
        return CROP_FRAME.to_pixels(normalize_landmarks(self.landmarks))


def read_held_out(data: Path, lags: dict[str, int], count: int | None) -> Iterator[HeldOutClip]:
    """Yield `count` clips of each validation set (None: all), evenly spread."""
    for name in dict.fromkeys(row["set"] for row in clip_rows(data, "val")):
        tracked = read_landmarks(data, name, "val")
        for stem in spread(sorted(tracked), count):
            path = data / "clips" / name / "val" / f"{stem}.mp4"
            yield _in_step(name, path, tracked[stem], lags.get(stem))


def _in_step(name: str, path: Path, landmarks: Points, lag: int | None) -> HeldOutClip:
    if lag is None:
        return HeldOutClip(name, path.stem, path, None, landmarks, slice(0, len(landmarks)))
    frames, samples = overlap(len(landmarks), lag)
    waveform = fit_length(read_waveform(path), len(landmarks))[samples]
    return HeldOutClip(name, path.stem, path, waveform, landmarks[frames], frames)


def read_lags(data: Path, cache: Path, encoder: SpeechEncoder) -> dict[str, int]:
    """Return the lag of every speaking clip's sound in encoder states (20 ms).

    The lags come from training's cache. Without a cache, they are estimated in the same way from
    all clips, which takes many minutes.
    """
    if (cache / LAGS_FILE).exists():
        lags: dict[str, int] = json.loads((cache / LAGS_FILE).read_text())
        return lags
    return measure_lags(list(read_clips(data)), encoder)
