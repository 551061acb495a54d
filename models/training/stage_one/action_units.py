"""Action units of acted speech, from which stage one learns, together with their speech.

`speech/ravdess_action_units.npz` holds OpenFace's intensities (0-5) of every frame at 29.97 a
second, `speech/ravdess_action_unit_means.csv` the mean of each clip. In the former, most units are
calibrated within the clip: a quantile is subtracted, and anything below it reads zero. So movement
is learnt from the former, and the level of each emotion and intensity from the latter.
"""

import csv
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from media.audio import FRAME_RATE
from media.emotions import EMOTIONS, Emotion
from models.corpus.recordings import HELD_OUT_SPEAKERS, list_recordings
from models.speech_to_landmarks.action_unit_flow import PERFORMED
from models.speech_to_landmarks.emotion_encoder import PROSODY_PER_FRAME
from models.speech_to_landmarks.speech_encoder import STATES_PER_FRAME
from models.speech_to_landmarks.vocal_effort import vocal_effort
from models.training.stage_one.emotional_speech import EmotionalClip

Array = NDArray[np.float32]

RECORDED = tuple(
    f"AU{n:02d}" for n in (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 25, 26, 45)
)
"""Columns of both files."""
CALIBRATED = frozenset(f"AU{n:02d}" for n in (1, 2, 5, 9, 15, 17, 20, 23))
"""Performed units that read zero below a quantile of their clip."""
FRAMES_FILE = "speech/ravdess_action_units.npz"
MEANS_FILE = "speech/ravdess_action_unit_means.csv"
RECORDED_RATE = 29.97
SMOOTH = 9
"""Recorded frames of the parabolas that take OpenFace's jitter out."""
FALL = 4.0
"""Video frames in which a unit is taken to fall below the quantile that reads zero."""
LABELS = dict(zip(range(1, 9), (
    Emotion.NEUTRAL, Emotion.NEUTRAL, Emotion.HAPPINESS, Emotion.SADNESS, Emotion.ANGER,
    Emotion.FEAR, Emotion.DISGUST, Emotion.SURPRISE,
), strict=True))  # fmt: skip
"""RAVDESS's emotions; calm (2) is taken for neutral."""
CALM = 2
NORMAL, STRONG = 0.6, 1.0
"""Strengths of RAVDESS's two intensities."""


@dataclass(frozen=True)
class ActedClip:
    """One recording's face and voice at 25 frames a second.

    Attributes:
        actor: RAVDESS's number.
        units: `[T, 14]` movement about the clip's mean, in units of intensity.
        states: `[2T, 384]`.
        effort: `[T, 10]`.
        emotion: `[8]` how strongly which emotion is acted; nothing for neutral.
        label: the emotion.
    """

    name: str
    actor: int
    units: Tensor
    states: Tensor
    effort: Tensor
    emotion: Tensor
    label: Emotion


@dataclass(frozen=True)
class UnitMeans:
    """Mean intensities `[17]` of one clip, and what is acted in it."""

    name: str
    actor: int
    label: Emotion
    calm: bool
    strength: float
    units: Array


def read_unit_means(data: Path) -> list[UnitMeans]:
    """Return the means of every clip, held-out actors' too."""
    with (data / MEANS_FILE).open(newline="") as file:
        rows = list(csv.DictReader(file))
    return [
        UnitMeans(
            name=row["clip"],
            actor=int(row["actor"]),
            label=LABELS[int(row["emotion"])],
            calm=int(row["emotion"]) == CALM,
            strength=strength_of(row["clip"]),
            units=np.array([row[unit] for unit in RECORDED], np.float32),
        )
        for row in rows
    ]


def strength_of(name: str) -> float:
    """Return the strength, 0 to 1, that a recording's name gives."""
    emotion, intensity = (int(part) for part in name.split("-")[2:4])
    if LABELS[emotion] is Emotion.NEUTRAL:
        return 0.0
    return STRONG if intensity == 2 else NORMAL


def actor_of(name: str) -> int:
    """Return the actor's number that a recording's name gives."""
    return int(name.split("-")[6])


def label_of(name: str) -> Emotion:
    """Return the emotion that a recording's name gives."""
    return LABELS[int(name.split("-")[2])]


def is_held_out(actor: int) -> bool:
    """Say whether an actor is kept out of training."""
    return f"ravdess_{actor:02d}" in HELD_OUT_SPEAKERS


def read_acted_clips(data: Path, recordings: Sequence[EmotionalClip]) -> Iterator[ActedClip]:
    """Yield every recording with action units of each frame.

    Args:
        data: the data folder.
        recordings: what `emotional_clean.pt` holds: all recordings, in the order of the labels.
    """
    names = [recording.path.stem for recording in list_recordings(data)]
    heard = dict(zip(names, recordings, strict=True))
    with np.load(data / FRAMES_FILE) as file:
        for name in file.files:
            if name in heard:
                yield _acted_clip(name, file[name].astype(np.float32), heard[name])


def _acted_clip(name: str, recorded: Array, heard: EmotionalClip) -> ActedClip:
    units = movement(recorded)
    frames = min(len(units), len(heard.states) // STATES_PER_FRAME)
    prosody = heard.prosody[None, :, : PROSODY_PER_FRAME * frames].float()
    return ActedClip(
        name=name,
        actor=actor_of(name),
        units=torch.from_numpy(units[:frames]),
        states=heard.states[: STATES_PER_FRAME * frames].float(),
        effort=vocal_effort(prosody)[0],
        emotion=emotion_vector(heard.emotion, heard.strength),
        label=heard.emotion,
    )


def emotion_vector(emotion: Emotion, strength: float) -> Tensor:
    """Return `[8]` the strength at the emotion's place; nothing for neutral."""
    vector = torch.zeros(len(EMOTIONS))
    if emotion is not Emotion.NEUTRAL:
        vector[EMOTIONS.index(emotion)] = strength
    return vector


def movement(recorded: Array) -> Array:
    """Return performed units `[T, 14]` at 25 a second, about their mean, of recorded `[R, 17]`."""
    # Imported here because the import takes seconds.
    from scipy.signal import savgol_filter  # type: ignore[attr-defined]

    columns = [_whole(recorded[:, RECORDED.index(unit)], unit) for unit in PERFORMED]
    window = min(SMOOTH, len(recorded) - (len(recorded) + 1) % 2)
    smooth = savgol_filter(np.stack(columns, axis=1), window, 2, axis=0)
    resampled = at_frame_rate(smooth)
    centred: Array = (resampled - resampled.mean(axis=0)).astype(np.float32)
    return centred


def at_frame_rate(recorded: NDArray[np.floating]) -> Array:
    """Return `[R, C]` at 29.97 a second as `[T, C]` at 25."""
    frames = int(len(recorded) * FRAME_RATE / RECORDED_RATE)
    wanted = np.arange(frames) * RECORDED_RATE / FRAME_RATE
    given = np.arange(len(recorded))
    columns = [np.interp(wanted, given, column) for column in recorded.T]
    return np.stack(columns, axis=1).astype(np.float32)


def _whole(column: Array, unit: str) -> Array:
    """Return a unit `[R]` with what reads zero put below it, as far as it otherwise rises above.

    How far it fell is not known; a movement that is symmetric about its quantile is assumed.
    """
    # Imported here because the import takes seconds.
    from scipy.ndimage import distance_transform_edt  # type: ignore[attr-defined]

    above = column > 0.0
    if unit not in CALIBRATED or not above.any() or above.all():
        return column
    away = distance_transform_edt(~above)
    fallen = column[above].mean() * (1.0 - np.exp(-away / FALL))
    return np.where(above, column, -fallen).astype(np.float32)


def means_by_actor(means: Sequence[UnitMeans]) -> dict[tuple[int, Emotion], list[UnitMeans]]:
    """Group clips by actor and emotion."""
    groups = defaultdict(list)
    for clip in means:
        groups[clip.actor, clip.label].append(clip)
    return groups
