"""The discriminator of painted mouths, a small patch network, and its losses."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.landmarks_to_video.face_regions import MOUTH, region_geometry
from models.landmarks_to_video.warping import upsample_flow
from models.precision import mixed_precision
from models.training.common.compute import Compute
from models.training.stage_two.face_pairs import PairBatch

LEARNING_RATE = 3e-4
FEATURE_WEIGHT = 5.0
"""Weight of the feature distance, next to the adversarial loss."""


class PatchDiscriminator(nn.Module):
    """Distinguishes painted from filmed patches, given the openings (after arXiv:1611.07004)."""

    LANDMARK_CHANNELS = 4
    """The signed distances at the start of `region_geometry`."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        spectral = nn.utils.parametrizations.spectral_norm
        self.stem = spectral(nn.Conv2d(3, width, 4, stride=2, padding=1))
        self.join = spectral(nn.Conv2d(width + self.LANDMARK_CHANNELS, width, 3, padding=1))
        self.down = spectral(nn.Conv2d(width, 2 * width, 4, stride=2, padding=1))
        self.deep = spectral(nn.Conv2d(2 * width, 4 * width, 3, padding=1))
        self.out = spectral(nn.Conv2d(4 * width, 1, 3, padding=1))

    def forward(self, window: Tensor, geometry: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Score `[B, 3, h, w]` in 0-1 with maps `[B, 4, h / 2, w / 2]`.

        Returns:
            Scores `[B, 1, h / 4, w / 4]`, high for filmed, and the intermediate features.
        """
        first = F.leaky_relu(self.stem(window * 2 - 1), 0.2)
        second = F.leaky_relu(self.join(torch.cat([first, geometry.to(first.dtype)], dim=1)), 0.2)
        third = F.leaky_relu(self.down(second), 0.2)
        fourth = F.leaky_relu(self.deep(third), 0.2)
        return self.out(fourth).float(), [first, second, third, fourth]


def hinge(real: Tensor, fake: Tensor, weight: Tensor) -> Tensor:
    """Return the discriminator's loss on weighted score maps (Lim and Ye, arXiv:1705.02894)."""
    loss = F.relu(1 - real) + F.relu(1 + fake)
    return (loss * weight).sum() / weight.sum()


def feature_distance(fake: list[Tensor], real: list[Tensor]) -> Tensor:
    """Return the distance of a discriminator's features (Salimans et al., arXiv:1606.03498)."""
    distances = [
        (a.float() - b.detach().float()).abs().mean() for a, b in zip(fake, real, strict=True)
    ]
    return torch.stack(distances).mean()


class Critic:
    """A discriminator that is trained on every mouth it scores."""

    def __init__(self, compute: Compute) -> None:
        self.device = compute.device
        self.discriminator = PatchDiscriminator()
        self.discriminator.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.joined = compute.join(self.discriminator)
        self.optimizer = torch.optim.Adam(
            self.discriminator.parameters(), LEARNING_RATE, betas=(0.5, 0.99)
        )

    def judge(
        self, pixels: Tensor, pairs: PairBatch, weight: Tensor, share: float
    ) -> dict[str, Tensor]:
        """Learn from painted `[B, 3, h, w]` beside filmed mouths, then return the loss terms.

        The gradient of "adversarial" on the pixels has, whatever the discriminator's scale, a mean
        size of `share` over that of a plain mean absolute error; "critic" has none.
        """
        geometry = region_geometry(pairs.window.target, MOUTH, pairs.window.origin)
        maps = geometry[:, : PatchDiscriminator.LANDMARK_CHANNELS]
        if pairs.window.scale > 1:
            maps = upsample_flow(maps, pairs.window.scale)
        area = F.avg_pool2d(weight, 4)
        loss = self._learn(pixels.detach(), pairs.wanted, maps, area)
        self.discriminator.requires_grad_(False)
        with mixed_precision(self.device):
            _, expected = self.discriminator(pairs.wanted, maps)
            scores, features = self.discriminator(pixels, maps)
        self.discriminator.requires_grad_(True)
        score = (scores * area).sum() / area.sum()
        verdict = FEATURE_WEIGHT * feature_distance(features, expected) - score
        return {"adversarial": _with_pull(verdict, pixels, share), "critic": loss}

    def state(self) -> dict[str, Any]:
        """Return what `restore` needs."""
        return {
            "discriminator": self.discriminator.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Resume from what `state` returned."""
        self.discriminator.load_state_dict(state["discriminator"])
        self.optimizer.load_state_dict(state["optimizer"])

    def _learn(self, painted: Tensor, filmed: Tensor, maps: Tensor, area: Tensor) -> Tensor:
        with mixed_precision(self.device):
            real, _ = self.joined(filmed, maps)
            fake, _ = self.joined(painted, maps)
        loss = hinge(real, fake, area)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        return loss.detach()


def _with_pull(verdict: Tensor, pixels: Tensor, share: float) -> Tensor:
    """Return `verdict`, its gradient on `pixels` as large as that of `share` times a mean L1."""
    (pull,) = torch.autograd.grad(verdict, pixels)
    pull = pull * share / (pull.abs().mean() * pixels.numel()).clamp_min(1e-12)
    surrogate = (pull * pixels).sum()
    return surrogate + (verdict - surrogate).detach()
