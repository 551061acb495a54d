"""Building blocks of the visual translator, including the feature-adaptive transformation."""

from collections.abc import Callable
from functools import reduce

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def zero_init(layer: nn.Conv2d, deviation: float = 0.0) -> None:
    """Initialize a convolution with zeros, or with small weights."""
    nn.init.normal_(layer.weight, std=deviation)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)


EPSILON = 1e-5
"""What is added to a pixel's variance before the division, as in torch's `layer_norm`."""


class PixelNorm(nn.Module):
    """Layer normalization over each pixel's channels (Ba et al., arXiv:1607.06450), without
    weights.

    It uses no neighbouring pixels, so a window and the full frame give the same result.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return `[B, C, H, W]` with mean 0 and variance 1 over C."""
        pixels = x.permute(0, 2, 3, 1)
        if x.device.type != "cpu":
            return F.layer_norm(pixels, (x.shape[1],)).permute(0, 3, 1, 2)
        # For so few channels, torch's own takes half as long again on a CPU.
        centred = pixels.float() - pixels.mean(dim=-1, keepdim=True, dtype=torch.float32)
        variance = centred.square().mean(dim=-1, keepdim=True)
        return (centred * torch.rsqrt(variance + EPSILON)).permute(0, 3, 1, 2)


class FeatureAdaptiveBlock(nn.Module):
    """The feature-adaptive transformation: landmark features modulate image features per pixel.

        y = x + conv(silu(conv(silu(norm(x) * gamma(L) + beta(L)))))

    It is initialized as the identity: gamma at 1, beta and the last convolution at 0.
    """

    def __init__(self, channels: int, landmark_channels: int) -> None:
        super().__init__()
        self.norm = PixelNorm()
        self.modulation = nn.Conv2d(landmark_channels, 2 * channels, 1)
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        zero_init(self.modulation)
        zero_init(self.conv2)

    def forward(self, x: Tensor, landmark_features: Tensor) -> Tensor:
        """Transform `[B, C, H, W]` under `[B, L, H, W]`."""
        gamma, beta = self.modulation(landmark_features).chunk(2, dim=1)
        y = F.silu(torch.addcmul(beta, self.norm(x), 1 + gamma))
        change: Tensor = self.conv2(F.silu(self.conv1(y)))
        return x + change


class Stem(nn.Conv2d):
    """Take pixels to features at half their resolution; each sees 6x6 pixels."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__(channels, width, 6, stride=2, padding=2)

    def forward(self, x: Tensor) -> Tensor:
        """Return `[B, width, H / 2, W / 2]` of `[B, C, H, W]`, in planes or interleaved."""
        return super().forward(x.contiguous(memory_format=torch.channels_last))


class Downsample(nn.Conv2d):
    """Halve the resolution with a strided 3x3 convolution."""

    def __init__(self, channels: int, wider: int) -> None:
        super().__init__(channels, wider, 3, stride=2, padding=1)


class Upsample(nn.Module):
    """Reduce channels with a 1x1 convolution, then double the resolution bilinearly."""

    def __init__(self, channels: int, narrower: int) -> None:
        super().__init__()
        self.narrow = nn.Conv2d(channels, narrower, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map `[B, C, H, W]` to `[B, narrower, 2H, 2W]`."""
        return F.interpolate(self.narrow(x), scale_factor=2, mode="bilinear", align_corners=False)


class FeatureAdaptiveStack(nn.ModuleList):
    """A sequence of feature-adaptive blocks that share their landmark features."""

    def __init__(self, channels: int, landmark_channels: int, count: int) -> None:
        super().__init__(FeatureAdaptiveBlock(channels, landmark_channels) for _ in range(count))

    def forward(self, x: Tensor, landmark_features: Tensor) -> Tensor:
        """Transform `[B, C, H, W]` under `[B, L, H, W]`."""
        for block in self:
            x = block(x, landmark_features)
        return x


def grown(mask: Tensor, reach: int) -> Tensor:
    """Return a mask `[B, 1, h, w]` grown by `reach` pixels, with edges twice as soft."""
    for join in (torch.maximum, torch.add):
        for axis in (2, 3):
            mask = _joined(mask, reach, axis, join)
    return mask / (2 * reach + 1) ** 2


def without_strands(mask: Tensor, reach: int) -> Tensor:
    """Return a mask `[B, 1, h, w]` without what is at most `2 * reach` pixels wide."""
    return _joined(_joined(mask, reach, 3, torch.minimum), reach, 3, torch.maximum)


def _joined(
    mask: Tensor, reach: int, axis: int, join: Callable[[Tensor, Tensor], Tensor]
) -> Tensor:
    """Return what `join` makes of all pixels up to `reach` away along an axis, 2 or 3."""
    # On a CPU, torch's pooling takes nine times as long.
    margin = (0, 0, reach, reach) if axis == 2 else (reach, reach, 0, 0)
    padded, size = F.pad(mask, margin, mode="replicate"), mask.shape[axis]
    return reduce(join, (padded.narrow(axis, k, size) for k in range(2 * reach + 1)))


def halved(picture: Tensor) -> Tensor:
    """Return a picture `[B, C, h, w]` at half its size: the means of 2x2 pixels."""
    corners = [picture[:, :, i::2, j::2] for i in (0, 1) for j in (0, 1)]
    return sum(corners[1:], corners[0]) / 4
