"""The face that a recording's speaker showed, from the action units of the same take.

The face of a take moves if its units are known by frame, and keeps still if only their means are.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from media.emotions import Emotion
from models.corpus.recordings import Recording
from models.speech_to_landmarks.action_unit_flow import PERFORMED
from models.speech_to_landmarks.speech_encoder import STATES_PER_FRAME
from models.training.stage_one.action_units import (
    FRAMES_FILE,
    MEANS_FILE,
    RECORDED,
    UnitMeans,
    means_by_actor,
    movement,
    read_unit_means,
)
from models.training.stage_one.emotional_speech import EmotionalClip

COLUMNS = [RECORDED.index(unit) for unit in PERFORMED]


def with_own_faces(
    clips: Sequence[EmotionalClip],
    recordings: Iterable[Recording],
    units: dict[str, Tensor],
    basis: Tensor,
) -> list[EmotionalClip]:
    """Return clips with the face of their own take; those whose units are unknown as they are.

    Args:
        clips: one for each of the recordings, in their order; played faster or slower, perhaps.
        recordings: as listed.
        units: by a recording's stem, as from `read_own_units`.
        basis: `[14, 79, 2]` displacement of one unit of intensity.
    """
    shown = []
    for clip, recording in zip(clips, recordings, strict=True):
        own = units.get(recording.path.stem)
        if own is not None:
            track = _stretched(own, len(clip.states) // STATES_PER_FRAME)
            clip = replace(clip, face=torch.einsum("tk,kpc->tpc", track, basis).half())
        shown.append(clip)
    return shown


def _stretched(track: Tensor, frames: int) -> Tensor:
    """Return a track `[T, K]` as long as a clip `[frames, K]`."""
    return F.interpolate(track.T[None], size=frames, mode="linear")[0].T


def read_own_units(data: Path) -> dict[str, Tensor]:
    """Return `[T, 14]` intensities above the actor's neutral face at 25 frames a second.

    By a recording's stem; one frame where only the means of a take are known, and nothing if the
    data hold no action units.
    """
    if not (data / MEANS_FILE).exists():
        return {}
    levels = own_levels(read_unit_means(data))
    moves = dict[str, Tensor]()
    if (data / FRAMES_FILE).exists():
        with np.load(data / FRAMES_FILE) as file:
            moves = {name: _movement(file[name]) for name in file.files if name in levels}
    return {name: level + moves.get(name, torch.zeros(1, 1)) for name, level in levels.items()}


def own_levels(means: Sequence[UnitMeans]) -> dict[str, Tensor]:
    """Return `[14]` mean intensities of each take above those of its actor's neutral takes."""
    groups = means_by_actor(means)
    levels = {}
    for clip in means:
        plain = [take.units for take in groups[clip.actor, Emotion.NEUTRAL] if not take.calm]
        if plain:
            above = (clip.units - np.mean(plain, axis=0))[COLUMNS]
            levels[clip.name] = torch.from_numpy(above.astype(np.float32))
    return levels


def _movement(recorded: np.ndarray) -> Tensor:
    return torch.from_numpy(movement(recorded.astype(np.float32)))
