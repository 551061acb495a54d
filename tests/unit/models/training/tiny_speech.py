"""Synthetic clips small enough to train tiny networks on in a moment."""

from pathlib import Path
from tempfile import NamedTemporaryFile

import numpy as np
import torch

from media.emotions import EMOTIONS
from models.speech_to_landmarks.prosody import CHANNELS
from models.training.stage_one.emotional_speech import EmotionalClip
from models.training.stage_one.expressions import ACTIONS, Expressions
from models.training.stage_one.fit_resting_face import SMILE
from models.training.stage_one.speech_landmarks import SpeechClip
from tests.unit.models.typical_face import normal_face

STATES = 24
WHOLE = ("jawOpen", "mouthPucker")
"""Actions that have no sides."""


def speech_clip(name: str, frames: int, clip_set: str = "grid", split: str = "train") -> SpeechClip:
    """Return a clip whose states encode how far the lower lip is down."""
    rng = np.random.default_rng(len(name) + frames)
    opening = np.convolve(rng.standard_normal(frames + 4), np.ones(5) / 5, mode="valid")
    motion = torch.zeros(frames, 79, 2)
    motion[:, 65:68, 1] = 0.1 * torch.from_numpy(opening).float()[:, None]
    states = torch.from_numpy(np.repeat(opening, 2)).float()[:, None].expand(-1, STATES)
    return SpeechClip(
        name=name,
        set=clip_set,
        split=split,
        person=f"person_{name}",
        states=states.half(),
        motion=motion.half(),
        resting=torch.zeros(79, 2),
    )


def emotional_clips(frames: int = 30) -> list[EmotionalClip]:
    """Return a recording of each emotion but contempt, distinguished by which channels are loud."""
    clips = []
    for index, emotion in enumerate(EMOTIONS[:7]):
        sound = torch.zeros(CHANNELS, 4 * frames)
        sound[10 * index : 10 * index + 10] = 1.0
        states = torch.zeros(2 * frames, STATES).half()
        clips.append(EmotionalClip("actor", emotion, 0.6, sound.half(), states))
    return clips


def made_up_expressions(folder: Path) -> Expressions:
    """Return a synthetic morphable face in which each action moves every point at random."""
    rng = np.random.default_rng(0)
    actions = {action for shown in (*ACTIONS.values(), SMILE) for action in shown} | {"mouthPucker"}
    names = sorted(
        name
        for action in actions
        for name in ((action,) if action in WHOLE else (f"{action}_L", f"{action}_R"))
    )
    neutral = np.concatenate([normal_face()[:68] * (1, -1), np.zeros((68, 1))], axis=1)
    offsets = 0.1 * rng.standard_normal((len(names), 68, 3))
    path = folder / "face.npz"
    with NamedTemporaryFile(dir=folder, delete=False) as file:
        np.savez(file, expression_names=names, expression=offsets, neutral=neutral)
    Path(file.name).replace(path)  # atomically: several processes may read it
    return Expressions(path)
