"""What a painter adds to its painting for a window of twice the crop's resolution."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.landmarks_to_video.dentition import TEETH_CHANNELS
from models.landmarks_to_video.face_regions import GEOMETRY_STRIDE
from models.landmarks_to_video.layers import PixelNorm, zero_init
from models.landmarks_to_video.mouth_interior import CORRECTIONS
from models.landmarks_to_video.warping import upsample_flow


class FineHead(nn.Module):
    """Adds to an enlarged painting what only the finer pixels show; it starts at nothing."""

    FROM_TRUNK, OPENINGS = 16, 4

    def __init__(self, features: int, width: int, unseen: bool) -> None:
        super().__init__()
        teeth = 4 * TEETH_CHANNELS if unseen else 0
        self.enlarge = nn.Conv2d(features, 4 * self.FROM_TRUNK, 1)
        self.stem = nn.Conv2d(self.FROM_TRUNK + 12 + self.OPENINGS + teeth, width, 3, padding=1)
        self.middle = nn.Conv2d(width, width, 3, padding=1)
        self.norm = PixelNorm()
        self.out = nn.Conv2d(width, 4 * (4 + CORRECTIONS if unseen else 4), 3, padding=1)
        zero_init(self.out)

    def forward(
        self, half: Tensor, warped: Tensor, geometry: Tensor, teeth: Tensor | None
    ) -> Tensor:
        """Return `[B, 4 + CORRECTIONS, 2h, 2w]` (`[B, 4, 2h, 2w]` where nothing is unseen).

        Args:
            half: `[B, C, h / 2, w / 2]` the trunk's features.
            warped: `[B, 12, h, w]` the warped portrait, 0-1, unshuffled.
            geometry: `[B, GEOMETRY_CHANNELS, h / 2, w / 2]`.
            teeth: `[B, 32, h, w]`, unshuffled, or None.
        """
        openings = upsample_flow(geometry[:, : self.OPENINGS], GEOMETRY_STRIDE)
        trunk = F.pixel_shuffle(self.enlarge(half), 2)
        seen = [trunk, warped * 2 - 1, openings]
        wanted = self.stem.in_channels - self.FROM_TRUNK - 12 - self.OPENINGS
        if teeth is not None:
            seen.append(teeth)
        elif wanted:
            seen.append(openings.new_zeros(len(half), wanted, *openings.shape[-2:]))
        # Of one layout, or the convolution is half as fast.
        interleaved = [part.contiguous(memory_format=torch.channels_last) for part in seen]
        wide = F.silu(self.stem(torch.cat(interleaved, dim=1)))
        wide = wide + self.middle(F.silu(self.norm(wide)))
        return F.pixel_shuffle(self.out(F.silu(self.norm(wide))).contiguous(), 2).float()
