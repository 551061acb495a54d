"""Coordinates along the line of the eyes and at right angles to it, in which no face leans."""

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from models.landmarks_to_video.warping import planes


def face_frame(landmarks: Tensor) -> tuple[Tensor, Tensor]:
    """Return the inter-ocular distance `[B]`, px, and the unit vector `[B, 2]` to the right eye."""
    across = landmarks[:, 42:48].mean(dim=1) - landmarks[:, 36:42].mean(dim=1)
    distance = across.norm(dim=-1).clamp_min(1.0)
    return distance, across / distance[:, None]


def to_upright(vectors: Tensor, across: Tensor) -> Tensor:
    """Express `[B, M, 2]` in axes along and across the eyes' line `[B, 2]`."""
    # Not a matrix product: autocast would round places to bfloat16.
    x, y = vectors.unbind(dim=-1)
    along_x, along_y = across[:, None].unbind(dim=-1)
    return planes(x * along_x + y * along_y, y * along_x - x * along_y)


def downwards(across: Tensor) -> Tensor:
    """Return unit vectors down an upright face `[..., 2]`, from those across it."""
    return torch.stack([-across[..., 1], across[..., 0]], dim=-1)


@dataclass(frozen=True)
class Axes:
    """Unit vectors `[B, 1, 2]` of an upright face: to the right eye, and down."""

    across: Tensor
    down: Tensor

    @classmethod
    def of(cls, landmarks: Tensor) -> Self:
        """Return the axes of the face `[B, 79, 2]`."""
        across = face_frame(landmarks)[1][:, None]
        return cls(across, downwards(across))

    def enter(self, vectors: Tensor) -> Tensor:
        """Express `[B, M, 2]` in these axes."""
        return to_upright(vectors, self.across[:, 0])

    def leave(self, vectors: Tensor) -> Tensor:
        """Express `[B, M, 2]` in the picture's axes again."""
        # Turned the other way round.
        return to_upright(vectors, self.across[:, 0] * vectors.new_tensor([1, -1]))
