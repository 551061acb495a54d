"""What the emotion heard in a take reveals about it: its label, and how its speaker's face moved.

Each figure is one number per recording of a held-out actor, higher is better, so that runs can be
compared recording by recording. No part of stage one that moves the face reads the embedding:
facial action is given probabilities and strength. So a ridge regression reads out what an embedding
knows of the face, and what reaches the face is measured on the movement that is drawn.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from media.emotions import EMOTIONS
from models.corpus.recordings import list_recordings
from models.metrics.definitions import correlation
from models.speech_to_landmarks.action_unit_flow import Performance
from models.speech_to_landmarks.emotion_encoder import HeardEmotion
from models.speech_to_landmarks.facial_action import FacialAction, shown_as_heard
from models.speech_to_landmarks.landmark_network import LandmarkNetwork
from models.training.stage_one.action_units import (
    ActedClip,
    actor_of,
    is_held_out,
    read_acted_clips,
    read_unit_means,
)
from models.training.stage_one.emotional_speech import CLEAN, EmotionalClip, load_recordings
from models.training.stage_one.own_faces import own_levels
from models.training.stage_one.train_action_units import Spreads

Values = NDArray[np.float64]

HEARING = "emotion heard, share of recordings"
LEVEL = "level of action units read out, explained variance"
MOVEMENT = "movement of action units read out, explained variance"
FOLLOWED = "movement of action units read out, r"
LOOK = "look shown, cosine with the take's own"
DRAWN = "movement drawn, energy score, negative"
DOUBT = 0.1
"""Ridge: evidence against any effect, as a share of the observations."""


@dataclass(frozen=True)
class Heard:
    """One recording as a network hears it: `[T, 64]`, `[T, 8]` probabilities, `[T]` strengths."""

    embedding: Tensor
    probabilities: Tensor
    strength: Tensor


class Examination:
    """The recordings with known faces, and what is asked of a network about them."""

    def __init__(self, data: Path, cache: Path, action: FacialAction) -> None:
        recordings = load_recordings(cache / CLEAN)
        names = [recording.path.stem for recording in list_recordings(data)]
        self.levels = own_levels(read_unit_means(data))
        self.clips = {
            name: clip for name, clip in zip(names, recordings, strict=True) if name in self.levels
        }
        self.action = action
        moving = list(read_acted_clips(data, recordings))
        self.learnt = {clip.name: clip for clip in moving if not is_held_out(clip.actor)}
        self.unseen = {clip.name: clip for clip in moving if is_held_out(clip.actor)}
        self.spreads = Spreads(list(self.learnt.values()))

    @torch.inference_mode()
    def measure(self, network: LandmarkNetwork) -> dict[str, dict[str, float]]:
        """Return each figure by recording."""
        heard = {name: hear(network, clip) for name, clip in self.clips.items()}
        out = [name for name in self.clips if is_held_out(actor_of(name))]
        return {
            HEARING: {name: self._is_heard(name, heard[name]) for name in out},
            LEVEL: self._levels_read(heard, out),
            **self._movement_read(heard),
            LOOK: {name: self._likeness(name, heard[name]) for name in out},
            DRAWN: {
                name: -self._energy_score(clip, heard[name]) for name, clip in self.unseen.items()
            },
        }

    def _is_heard(self, name: str, heard: Heard) -> float:
        likeliest = int(heard.probabilities.mean(0).argmax())
        return float(EMOTIONS[likeliest] is self.clips[name].emotion)

    def _levels_read(self, heard: dict[str, Heard], out: Sequence[str]) -> dict[str, float]:
        learnt = [name for name in self.clips if not is_held_out(actor_of(name))]
        known = {name: heard[name].embedding.mean(0, keepdim=True) for name in self.clips}
        rows = {name: self.levels[name][None] for name in self.clips}
        read = Readout([known[name] for name in learnt], [rows[name] for name in learnt])
        return read.explained({name: known[name] for name in out}, rows)

    def _movement_read(self, heard: dict[str, Heard]) -> dict[str, dict[str, float]]:
        def known(name: str, clip: ActedClip) -> Tensor:
            return heard[name].embedding[: len(clip.units)]

        read = Readout(
            [known(name, clip) for name, clip in self.learnt.items()],
            [clip.units for clip in self.learnt.values()],
        )
        embeddings = {name: known(name, clip) for name, clip in self.unseen.items()}
        units = {name: clip.units for name, clip in self.unseen.items()}
        followed = {name: _mean_r(read(embeddings[name]), units[name]) for name in units}
        return {MOVEMENT: read.explained(embeddings, units), FOLLOWED: followed}

    def _likeness(self, name: str, heard: Heard) -> float:
        """Return the cosine of the look shown and the take's own; 0 where nothing is shown."""
        emotion = shown_as_heard(heard.probabilities, heard.strength).mean(0)
        shown = torch.einsum("e,epc->pc", emotion, self.action.looks.mean(0))
        own = torch.einsum("k,skpc->pc", self.levels[name], self.action.basis)
        return float(torch.cosine_similarity(shown.flatten(), own.flatten(), dim=0))

    def _energy_score(self, clip: ActedClip, heard: Heard) -> float:
        """Return the energy score of one movement in each style (Gneiting and Raftery, 2007).

        In deviations of the units over all movement, root mean square over time and units.
        """
        emotion = shown_as_heard(heard.probabilities, heard.strength)[: len(clip.units)]
        emotion = emotion.clamp(max=1.0)
        styles = torch.eye(self.action.config.flow.styles)
        asked = Performance(
            states=clip.states.expand(len(styles), -1, -1),
            effort=clip.effort.expand(len(styles), -1, -1),
            emotion=emotion.expand(len(styles), -1, -1),
            style=styles,
        )
        drawn = self.action.flow.draw(asked, torch.Generator().manual_seed(0))
        drawn = drawn * self.spreads.of(emotion) / self.spreads.table.mean(0)
        real = clip.units / self.spreads.table.mean(0)
        away = (drawn - real).square().mean((1, 2)).sqrt().mean()
        apart = (drawn[:, None] - drawn[None]).square().mean((2, 3)).sqrt().sum()
        return float(away - apart / (2 * len(styles) * (len(styles) - 1)))


class Readout:
    """A ridge regression from embeddings `[N, 64]` to action units `[N, 14]`."""

    def __init__(self, known: Sequence[Tensor], wanted: Sequence[Tensor]) -> None:
        inputs, units = torch.cat(list(known)).double(), torch.cat(list(wanted)).double()
        self.mean, self.scale = inputs.mean(0), inputs.std(0).clamp(min=1e-6)
        self.middle, self.spread = units.mean(0), units.std(0)
        x, y = (inputs - self.mean) / self.scale, units - self.middle
        doubt = DOUBT * len(x) * torch.eye(x.shape[1], dtype=x.dtype)
        self.weights = torch.linalg.solve(x.T @ x + doubt, x.T @ y)

    def __call__(self, known: Tensor) -> Tensor:
        """Return units `[N, 14]`."""
        read: Tensor = (known.double() - self.mean) / self.scale @ self.weights + self.middle
        return read

    def explained(self, known: dict[str, Tensor], wanted: dict[str, Tensor]) -> dict[str, float]:
        """Return values by recording whose mean is the share of the variance explained.

        Units count alike, and so do recordings; the variance is about the mean of those learnt.
        """
        missed = {name: self._power(self(known[name]) - wanted[name]) for name in known}
        there = np.mean([self._power(wanted[name] - self.middle) for name in known])
        return {name: float(1.0 - power / there) for name, power in missed.items()}

    def _power(self, units: Tensor) -> float:
        return float((units / self.spread).square().mean())


def hear(network: LandmarkNetwork, clip: EmotionalClip) -> Heard:
    """Return what a network hears in a recording."""
    heard: HeardEmotion = network.heard_emotion(
        clip.prosody[None].float(), clip.states[None].float()
    )
    return Heard(heard.embedding[0], heard.logits[0].softmax(-1), heard.strength[0])


def _mean_r(read: Tensor, units: Tensor) -> float:
    """Return Pearson's r over time, mean over the units that move."""
    columns = zip(read.T.numpy(), units.T.numpy(), strict=True)
    return float(np.mean([correlation(one, other) for one, other in columns if other.std() > 0]))
