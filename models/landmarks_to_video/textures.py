"""Learnt textures that a painter sees where the face has them."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.landmarks_to_video.face_regions import ANCHOR_CHANNELS, GEOMETRY_STRIDE
from models.landmarks_to_video.warping import upsample_flow

TEXTURE_SIZE, TEXTURE_CHANNELS, TEXTURE_REACH = 128, 4, 0.75
"""Learned textures around each anchor: side in texels, channels, inter-ocular distances to an edge.
"""


class AnchoredTextures(nn.Module):
    """Learnt maps that are fixed to a region's two anchors and move with them.

    Teeth do not deform: the upper ones hang on the skull, the lower ones on the jaw. A sharp map at
    the right place leaves it to the painter only to tint and to uncover it (after the neural
    textures of Thies et al., arXiv:1904.12356).
    """

    def __init__(self, drawing: Callable[[int, float], Tensor] | None) -> None:
        super().__init__()
        maps = 0.1 * torch.randn(2, TEXTURE_CHANNELS, TEXTURE_SIZE, TEXTURE_SIZE)
        if drawing:
            maps[:, 0] = drawing(TEXTURE_SIZE, TEXTURE_REACH)
        self.maps = nn.Parameter(maps)

    def forward(self, geometry: Tensor) -> Tensor:
        """Return `[B, 2 * TEXTURE_CHANNELS, h, w]` for a region's geometry at half the size."""
        place = upsample_flow(geometry[:, ANCHOR_CHANNELS], GEOMETRY_STRIDE) / TEXTURE_REACH
        sampled = [
            F.grid_sample(
                texture.expand(len(place), -1, -1, -1),
                coordinates.permute(0, 2, 3, 1),
                align_corners=True,
            )
            for texture, coordinates in zip(self.maps, place.chunk(2, dim=1), strict=True)
        ]
        return torch.cat(sampled, dim=1)
