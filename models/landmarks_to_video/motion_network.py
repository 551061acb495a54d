"""The network that moves what landmarks do not determine."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from media.faces.landmarks import CROP_SIZE, NUM_LANDMARKS
from models.landmarks_to_video.layers import Downsample, FeatureAdaptiveStack, Upsample, zero_init
from models.landmarks_to_video.warping import FLOW_UNIT, flow_coordinates, sample

MOTION_STRIDE = 4
"""The motion network sees the face at a quarter of its resolution."""
MOTION_UNIT = 4.0
"""Scale of the motion network's residual flow, in pixels."""


class MotionNet(nn.Module):
    """Adds to the thin-plate flow what landmarks do not determine: hair, neck, cheeks, depth."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.pose = nn.Sequential(
            nn.Linear(4 * NUM_LANDMARKS, 128), nn.SiLU(), nn.Linear(128, 2 * width)
        )
        self.stem = nn.Conv2d(8, width, 3, stride=2, padding=1)
        self.down = Downsample(width, 2 * width)
        self.middle = FeatureAdaptiveStack(2 * width, 2 * width, 2)
        self.up = Upsample(2 * width, width)
        self.out = nn.Conv2d(width, 2, 3, padding=1)
        zero_init(self.out)

    def forward(self, thumbnail: Tensor, prior: Tensor, source: Tensor, target: Tensor) -> Tensor:
        """Return the residual flow `[B, 2, 32, 32]`, px.

        Args:
            thumbnail: `[B, 3, 64, 64]` the portrait, 0-1.
            prior: `[B, 2, 64, 64]` the thin-plate flow, px.
            source: `[B, 79, 2]` the portrait's landmarks, px.
            target: `[B, 79, 2]` the wanted landmarks, px.
        """
        centre = (MOTION_STRIDE - 1) / 2
        places = (flow_coordinates(prior, MOTION_STRIDE) - centre) / MOTION_STRIDE
        warped = sample(thumbnail, places)
        wide = self.stem(torch.cat([thumbnail, warped, prior / FLOW_UNIT], dim=1))
        deep = self.down(F.silu(wide))
        pose = self.pose(torch.cat([source, target], dim=1).flatten(1) / CROP_SIZE - 0.5)
        deep = self.middle(deep, pose[:, :, None, None])
        residual: Tensor = self.out(F.silu(wide + self.up(deep))).float() * MOTION_UNIT
        return residual
