"""Draws action units over time: a conditional flow from smooth noise to how real faces move."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from media.emotions import EMOTIONS
from models.speech_to_landmarks.vocal_effort import EFFORT

PERFORMED = tuple(f"AU{n:02d}" for n in (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23))
"""The action units that are drawn (Ekman and Friesen, 1978); lips part, jaw drops with speech."""


@dataclass(frozen=True)
class ActionUnitFlowConfig:
    """Sizes of the flow, saved with its weights."""

    units: int = len(PERFORMED)
    states: int = 384
    content: int = 32
    styles: int = 4
    width: int = 72
    dilations: tuple[int, ...] = (1, 2, 4, 8, 2, 1)
    kernel: int = 5
    dropout: float = 0.2


@dataclass(frozen=True)
class Performance:
    """What the face's movement is drawn for.

    Attributes:
        states: `[B, 2T, 384]` of the speech encoder.
        effort: `[B, T, 10]` of the voice.
        emotion: `[B, T, 8]` how strongly each emotion is shown, 0 to 1; nothing for neutral.
        style: `[B, 4]` whose manner, weights that sum to 1; all zero for nobody's.
    """

    states: Tensor
    effort: Tensor
    emotion: Tensor
    style: Tensor


class ActionUnitFlow(nn.Module):
    """The velocity field of a flow (Lipman et al., 2023) over trajectories of action units.

    It is convolutional along time, so that a trajectory of any length is drawn at once, without a
    seam. Its source is noise as smooth as faces are: what it learns is what noise lacks.

    Buffers:
        tempo: `[K]` deviation in video frames of the bell that smooths each unit's noise.
        mixing: `[K, K]` factor of the units' covariance.
        effort_mean, effort_scale: `[10]` of the voices trained on.
    """

    tempo: Tensor
    mixing: Tensor
    effort_mean: Tensor
    effort_scale: Tensor

    def __init__(self, config: ActionUnitFlowConfig) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self.drop = nn.Dropout(config.dropout)
        self.hear = nn.Linear(config.states, config.content)
        conditions = config.content + EFFORT + len(EMOTIONS) + config.styles
        self.condition = nn.Sequential(
            nn.Linear(conditions, width), nn.SiLU(), nn.Linear(width, width)
        )
        self.moment = nn.Sequential(nn.Linear(16, width), nn.SiLU(), nn.Linear(width, width))
        self.enter = nn.Linear(config.units, width)
        self.blocks = nn.ModuleList(
            ConditionedBlock(width, config.kernel, dilation, config.dropout)
            for dilation in config.dilations
        )
        self.leave = nn.Linear(width, config.units)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)
        self.register_buffer("tempo", torch.ones(config.units))
        self.register_buffer("mixing", torch.eye(config.units))
        self.register_buffer("effort_mean", torch.zeros(EFFORT))
        self.register_buffer("effort_scale", torch.ones(EFFORT))

    def conditions(self, asked: Performance) -> Tensor:
        """Return `[B, T, C]` what is known of each frame."""
        frames = asked.effort.shape[1]
        batch, _, width = asked.states.shape
        states = asked.states.reshape(batch, frames, -1, width).mean(2)
        effort = ((asked.effort - self.effort_mean) / self.effort_scale).clamp(-4.0, 4.0)
        style = asked.style[:, None].expand(-1, frames, -1)
        known = [self.hear(self.drop(states)), self.drop(effort), asked.emotion, style]
        out: Tensor = self.condition(torch.cat(known, dim=-1))
        return out

    def forward(self, units: Tensor, time: Tensor, conditions: Tensor) -> Tensor:
        """Return the velocity `[B, T, K]` of units `[B, T, K]` at times `[B]`, 0 noise, 1 face."""
        context = conditions + self.moment(_fourier(time))[:, None]
        x = self.enter(units)
        for block in self.blocks:
            x = block(x, context)
        out: Tensor = self.leave(F.silu(x))
        return out

    def draw(self, asked: Performance, generator: torch.Generator, steps: int = 6) -> Tensor:
        """Return movement `[B, T, K]` in deviations about its mean; one generator, one movement.

        Heun's method takes `steps` steps from noise to movement.
        """
        conditions = self.conditions(asked)
        units = self.noise(len(asked.effort), asked.effort.shape[1], generator)
        for step in range(steps):
            time = units.new_full((len(units),), step / steps)
            first = self(units, time, conditions)
            second = self(units + first / steps, time + 1.0 / steps, conditions)
            units = units + (first + second) / (2.0 * steps)
        return units

    def noise(self, batch: int, frames: int, generator: torch.Generator | None) -> Tensor:
        """Return smooth noise `[B, T, K]` of deviation 1, its units going together as measured."""
        reach = int(4 * float(self.tempo.max())) + 1
        units = self.config.units
        white = torch.randn(batch, units, frames + 2 * reach, generator=generator)
        times = torch.arange(-reach, reach + 1, device=self.tempo.device)
        bells = torch.exp(-0.5 * (times / self.tempo[:, None]).square())
        bells = bells / bells.norm(dim=1, keepdim=True)
        smooth = F.conv1d(white.to(bells), bells[:, None], groups=units)
        return smooth.transpose(1, 2) @ self.mixing.T


class ConditionedBlock(nn.Module):
    """A residual convolution along time whose norm the conditions of each frame scale and shift."""

    def __init__(self, width: int, kernel: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.modulate = nn.Linear(width, 2 * width)
        pad = dilation * (kernel // 2)
        self.conv = nn.Conv1d(width, width, kernel, padding=pad, dilation=dilation)
        self.drop = nn.Dropout(dropout)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        """Map `[B, T, C]` to the same shape."""
        scale, shift = self.modulate(F.silu(context)).chunk(2, dim=-1)
        normed = self.norm(x) * (1.0 + scale) + shift
        mixed = F.silu(self.conv(normed.transpose(1, 2))).transpose(1, 2)
        out: Tensor = x + self.out(self.drop(mixed))
        return out


def _fourier(time: Tensor) -> Tensor:
    """Return `[B, 16]` sines and cosines of times `[B]`."""
    angles = time[:, None] * torch.pi * 2.0 ** torch.arange(-1, 7, device=time.device)
    return torch.cat([angles.sin(), angles.cos()], dim=-1)
