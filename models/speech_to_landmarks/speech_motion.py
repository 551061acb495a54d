"""Speech content to the motion of the lower face: sequence to sequence, over encoder states."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class SpeechMotionConfig:
    """Sizes of the network from encoder states to coefficients of speech motion."""

    states: int = 384
    width: int = 256
    hidden: int = 192
    heads: int = 4
    reach: int = 8
    """Number of video frames before and after each frame that the decoder attends to."""
    components: int = 32
    dropout: float = 0.3


class SpeechMotion(nn.Module):
    """Content encoder and attentive decoder, for all frames at once.

    states ─ conv, 50 to 25/s ─ dilated convs ─ BiLSTM ─┬─ attention, ±reach ─┬─ BiLSTM ─ out
                                                        └─────────────────────┘
    """

    def __init__(self, config: SpeechMotionConfig) -> None:
        super().__init__()
        width, hidden = config.width, config.hidden
        self.drop = nn.Dropout(config.dropout)
        self.enter = nn.Linear(config.states, width)
        self.halve = nn.Conv1d(width, width, 4, stride=2, padding=1)
        self.mix = nn.ModuleList(DilatedBlock(width, dilation) for dilation in (1, 2, 4))
        self.remember = nn.LSTM(width, hidden, batch_first=True, bidirectional=True)
        self.attend = LocalAttention(2 * hidden, config.heads, config.reach)
        self.decode = nn.LSTM(4 * hidden, hidden // 2, batch_first=True, bidirectional=True)
        self.read = nn.Linear(hidden, config.components)

    def forward(self, states: Tensor) -> Tensor:
        """Return coefficients `[B, T, 32]` of states `[B, 2T, 384]`."""
        x = F.gelu(self.enter(self.drop(states)))
        x = F.gelu(self.halve(x.transpose(1, 2)))
        for block in self.mix:
            x = block(x)
        content, _ = self.remember(self.drop(x.transpose(1, 2)))
        content = self.drop(content)
        decoded, _ = self.decode(torch.cat([content, self.attend(content)], dim=-1))
        out: Tensor = self.read(self.drop(decoded))
        return out


class DilatedBlock(nn.Module):
    """A residual convolution of three taps along time."""

    def __init__(self, width: int, dilation: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.conv = nn.Conv1d(width, width, 3, padding=dilation, dilation=dilation)
        self.out = nn.Conv1d(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map `[B, C, T]` to the same shape."""
        normed = self.norm(x.transpose(1, 2)).transpose(1, 2)
        out: Tensor = x + self.out(F.gelu(self.conv(normed)))
        return out


class LocalAttention(nn.Module):
    """Multi-head attention of each frame within `reach`, with a learned bias per distance."""

    def __init__(self, width: int, heads: int, reach: int) -> None:
        super().__init__()
        self.heads, self.reach = heads, reach
        self.query_key_value = nn.Linear(width, 3 * width)
        self.nearness = nn.Parameter(torch.zeros(heads, 2 * reach + 1))
        self.project = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Map `[B, T, C]` to the same shape."""
        batch, frames, width = x.shape
        split = self.query_key_value(x).view(batch, frames, 3, self.heads, -1)
        query, key, value = split.permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=self._bias(frames))
        out: Tensor = self.project(mixed.transpose(1, 2).reshape(batch, frames, width))
        return out

    def _bias(self, frames: int) -> Tensor:
        """Return `[heads, T, T]`: the learned bias within reach, minus infinity beyond."""
        at = torch.arange(frames, device=self.nearness.device)
        distance = at[None, :] - at[:, None]
        bias = self.nearness[:, (distance + self.reach).clamp(0, 2 * self.reach)]
        return bias.masked_fill(distance.abs() > self.reach, float("-inf"))
