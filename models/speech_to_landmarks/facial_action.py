"""How a face acts as it speaks: action units at the level of its emotion, moving as faces do."""

from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from media.emotions import EMOTIONS, Emotion
from media.faces.landmarks import NUM_LANDMARKS
from models.checkpoints import load_checkpoint
from models.face.retargeting import LOWER_INNER, UPPER_INNER
from models.manifest import WEIGHTS
from models.speech_to_landmarks.action_unit_flow import (
    PERFORMED,
    ActionUnitFlow,
    ActionUnitFlowConfig,
    Performance,
)
from models.speech_to_landmarks.vocal_effort import vocal_effort

FILE = "facial_action.safetensors"
STRONGEST = 4.5
"""Intensity that no action unit passes; FACS ends at 5."""
BROADEST = 1.4
"""Strength that no look passes: at twice its strength, a strong look is a caricature."""
UNEVEN = 0.15
"""How much more one half of a face may move than the other."""
LEAST_GAIN, MOST_GAIN = 0.7, 2.2
WIDEST = 0.45
"""Inter-ocular units: an opening that no gain passes."""
SIDES = 2
DYNAMICS = 2
"""Last channels of effort: deviations of pitch and loudness, which no microphone colours."""


@dataclass(frozen=True)
class FacialActionConfig:
    """Sizes, saved with the weights."""

    flow: ActionUnitFlowConfig = field(default_factory=ActionUnitFlowConfig)
    people: int = 6

    @classmethod
    def from_sizes(cls, sizes: dict[str, Any]) -> Self:
        """Rebuild the config from a checkpoint's header."""
        flow = sizes["flow"] | {"dilations": tuple(sizes["flow"]["dilations"])}
        return cls(flow=ActionUnitFlowConfig(**flow), people=sizes["people"])


@dataclass(frozen=True)
class Manner:
    """One person's way of acting, drawn from a seed.

    Attributes:
        looks: `[8, 79, 2]` displacement at full strength of each emotion.
        style: `[4]` whose movement.
        sides: `[2, 14]` how much the left and the right half of the face do of each unit.
    """

    looks: Tensor
    style: Tensor
    sides: Tensor


class FacialAction(nn.Module):
    """Displacement = look of the emotion + movement of action units, each in a linear basis.

    Buffers:
        basis: `[2, 14, 79, 2]` displacement of one unit of intensity, left and right half of the
            face; no unit parts the lips.
        looks: `[P, 8, 79, 2]` displacement at full strength, as P people show each emotion; none
            parts the lips.
        spreads: `[8, 14]` deviation of each unit's movement at full strength of each emotion.
        liveliness: `[S, 14]` factor that brings each unit of a style's movement to the deviation
            of a lively person, so that no seed draws a face that hardly moves.
        opening: `[79, 2]` how a face moves when its lips open by one inter-ocular unit.
        gain: `[8 + 2 + 1]` of articulation: weights of emotion, of the voice's dynamics, a bias.
    """

    basis: Tensor
    looks: Tensor
    spreads: Tensor
    liveliness: Tensor
    opening: Tensor
    gain: Tensor

    def __init__(self, config: FacialActionConfig) -> None:
        super().__init__()
        self.config = config
        self.flow = ActionUnitFlow(config.flow)
        units, emotions, points = len(PERFORMED), len(EMOTIONS), (NUM_LANDMARKS, 2)
        self.register_buffer("basis", torch.zeros(SIDES, units, *points))
        self.register_buffer("looks", torch.zeros(config.people, emotions, *points))
        self.register_buffer("spreads", torch.ones(emotions, units))
        self.register_buffer("liveliness", torch.ones(config.flow.styles, units))
        self.register_buffer("opening", torch.zeros(points))
        self.register_buffer("gain", torch.zeros(emotions + DYNAMICS + 1))

    @classmethod
    def load(cls, device: torch.device | str) -> Self:
        """Return the shipped weights.

        Raises:
            CheckpointError: the weights file is missing or damaged.
        """
        state, sizes = load_checkpoint(WEIGHTS / FILE)
        action = cls(FacialActionConfig.from_sizes(sizes))
        action.load_state_dict(state)
        return action.to(device).eval()

    def draw_manner(self, rng: np.random.Generator) -> Manner:
        """Return a way of acting: each emotion as between two people, the movement of one."""
        emotions, people = len(EMOTIONS), self.config.people
        first, second = rng.integers(people, size=(2, emotions))
        share = torch.from_numpy(rng.uniform(0.0, 0.5, (emotions, 1, 1))).to(self.looks)
        each = torch.arange(emotions)
        looks = (1.0 - share) * self.looks[first, each] + share * self.looks[second, each]
        chosen = int(rng.integers(self.config.flow.styles))
        style = F.one_hot(torch.tensor(chosen), self.config.flow.styles)
        lean = rng.uniform(-UNEVEN, UNEVEN, len(PERFORMED))
        sides = torch.from_numpy(np.stack([1.0 + lean, 1.0 - lean])).to(looks)
        return Manner(looks, style.to(looks), sides * self.liveliness[chosen])

    def act(
        self,
        states: Tensor,
        prosody: Tensor,
        emotion: Tensor,
        seed: int,
    ) -> Tensor:
        """Return the displacement `[T, 79, 2]` of a face that shows emotion while it speaks.

        Args:
            states: `[2T, 384]` of the speech encoder.
            prosody: `[163, 4T]`.
            emotion: `[T, 8]` how strongly each emotion is shown, 0 to 2, nothing for neutral.
            seed: of the manner and the movement.
        """
        manner = self.draw_manner(np.random.default_rng([seed, 1]))
        asked = Performance(
            states=states[None],
            effort=vocal_effort(prosody[None]),
            emotion=emotion[None].clamp(max=1.0),
            style=manner.style[None],
        )
        moves = self.flow.draw(asked, torch.Generator().manual_seed(seed))[0]
        look = torch.einsum("te,epc->tpc", hold_strength(emotion), manner.looks)
        return look + self.show(hold_units(moves * spread_at(self.spreads, emotion)), manner.sides)

    def show(self, units: Tensor, sides: Tensor) -> Tensor:
        """Return the displacement `[..., 79, 2]` of action units `[..., 14]`."""
        seen: Tensor = torch.einsum("...k,sk,skpc->...pc", units, sides, self.basis)
        return seen

    def articulate(self, spoken: Tensor, prosody: Tensor, emotion: Tensor) -> Tensor:
        """Return speech motion `[T, 79, 2]` that opens as far as effort and emotion make it.

        Lips that touch stay so: what is stretched is the opening.

        Args:
            spoken: `[T, 79, 2]`.
            prosody: `[163, 4T]`.
            emotion: `[T, 8]`, as for `act`.
        """
        gain = self.articulation_gain(vocal_effort(prosody[None])[0], emotion)
        return spoken + widen(lip_opening(spoken), gain)[:, None, None] * self.opening

    def articulation_gain(self, effort: Tensor, emotion: Tensor) -> Tensor:
        """Return `[T]` what openings are multiplied by, of efforts `[T, 10]`, emotions `[T, 8]`."""
        known = gain_features(self.flow, effort, emotion)
        return (known @ self.gain).exp().clamp(LEAST_GAIN, MOST_GAIN)


def gain_features(flow: ActionUnitFlow, effort: Tensor, emotion: Tensor) -> Tensor:
    """Return `[..., 11]` what the gain of articulation is linear in: emotion, dynamics, one."""
    manner = ((effort - flow.effort_mean) / flow.effort_scale)[..., -DYNAMICS:].clamp(-2.5, 2.5)
    return torch.cat([emotion.clamp(max=1.5), manner, torch.ones_like(manner[..., :1])], dim=-1)


def lip_opening(motion: Tensor) -> Tensor:
    """Return `[T]` the mean opening of the inner lips in motion `[T, 79, 2]`, at least 0."""
    gaps = motion[:, LOWER_INNER, 1] - motion[:, UPPER_INNER, 1]
    return gaps.mean(-1).clamp(min=0.0)


def widen(opening: Tensor, gain: Tensor) -> Tensor:
    """Return what a gain `[T]` adds to an opening `[T]`, less and less towards the widest."""
    wanted = opening * gain
    beyond = F.relu(wanted - WIDEST / 2)
    held = wanted - beyond + WIDEST / 2 * torch.tanh(beyond / (WIDEST / 2))
    return torch.where(gain > 1.0, torch.maximum(held, opening), wanted) - opening


def hold_strength(emotion: Tensor) -> Tensor:
    """Return strengths as they are up to 1, and above ever nearer to BROADEST."""
    room = BROADEST - 1.0
    beyond = F.relu(emotion - 1.0)
    return emotion - beyond + room * torch.tanh(beyond / room)


def hold_units(units: Tensor) -> Tensor:
    """Return intensities that near STRONGEST ever more slowly."""
    return STRONGEST * torch.tanh(units / STRONGEST)


def spread_at(table: Tensor, emotion: Tensor) -> Tensor:
    """Return neutral's deviations and what each emotion adds to them, no less than half neutral's.

    Args:
        table: `[8, K]` deviation at full strength, in the order of EMOTIONS.
        emotion: `[..., 8]` how strongly each emotion is shown.
    """
    neutral = table[EMOTIONS.index(Emotion.NEUTRAL)]
    return torch.maximum(neutral + emotion @ (table - neutral), 0.5 * neutral)


def shown_as_asked(emotion: Emotion, frames: int) -> Tensor:
    """Return `[T, 8]` for one emotion shown in full throughout; nothing for neutral."""
    vector = torch.zeros(frames, len(EMOTIONS))
    if emotion is not Emotion.NEUTRAL:
        vector[:, EMOTIONS.index(emotion)] = 1.0
    return vector


def shown_as_heard(probabilities: Tensor, strengths: Tensor) -> Tensor:
    """Return `[T, 8]` what is shown of probabilities `[T, 8]` and strengths `[T]` as heard."""
    shown = probabilities * strengths[:, None]
    shown[:, EMOTIONS.index(Emotion.NEUTRAL)] = 0.0
    return shown
