"""Whether something covers a face's mouth or eyes: a mask, a microphone, dark glasses."""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from media.errors import FaceCovered
from models.checkpoints import load_checkpoint
from models.manifest import WEIGHTS

CHECKPOINT = "covering.safetensors"
SURE = {"mouth": 0.95, "eyes": 0.9}
"""Probability from which a part counts as covered. No face of 208 clips and 1,767 portraits without
dark glasses or an eye patch reaches it.
"""
SIDE = 64
"""Pixels of the face crop that the network sees."""
PARTS = ("mouth", "eyes")
_EXAMPLES = {"mouth": "a mask, a hand or a microphone", "eyes": "dark glasses or a hand"}


@dataclass(frozen=True)
class CoveringConfig:
    """Channels of the network's layers, each of which halves the picture."""

    widths: tuple[int, ...] = (16, 32, 48, 64)


class CoveringNetwork(nn.Module):
    """Classifies a face crop: is its mouth covered, are its eyes?"""

    def __init__(self, config: CoveringConfig) -> None:
        super().__init__()
        self.config = config
        channels = (3, *config.widths)
        layers: list[nn.Module] = []
        for width, wider in pairwise(channels):
            layers += [
                nn.Conv2d(width, wider, 3, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(wider),
                nn.SiLU(),
            ]
        self.features = nn.Sequential(*layers)
        self.classify = nn.Linear(config.widths[-1] * (SIDE >> len(config.widths)) ** 2, len(PARTS))

    @classmethod
    def load(cls, path: Path = WEIGHTS / CHECKPOINT) -> Self:
        """Read the weights that the repository ships.

        Raises:
            CheckpointError: the file is missing or damaged.
        """
        state, sizes = load_checkpoint(path)
        network = cls(CoveringConfig(tuple(sizes["widths"])))
        network.load_state_dict(state)
        return network.eval()

    def forward(self, crops: Tensor) -> Tensor:
        """Return logits `[B, 2]` of mouth and eyes for crops `[B, 3, 64, 64]` in 0-1."""
        logits: Tensor = self.classify(self.features(crops - 0.5).flatten(1))
        return logits

    @torch.inference_mode()
    def look(self, crop: NDArray[np.uint8]) -> dict[str, float]:
        """Return the probabilities that mouth and eyes of a face crop `[S, S, 3]` are covered."""
        small = np.array(Image.fromarray(crop).resize((SIDE, SIDE), Image.Resampling.BOX))
        pixels = torch.from_numpy(small).permute(2, 0, 1)[None].float() / 255
        return dict(zip(PARTS, self(pixels).sigmoid()[0].tolist(), strict=True))

    def check(self, crop: NDArray[np.uint8]) -> None:
        """Check that a face crop `[S, S, 3]` shows its mouth and its eyes.

        Raises:
            FaceCovered: something covers one of them.
        """
        covered = [part for part, sure in self.look(crop).items() if sure >= SURE[part]]
        if covered:
            raise FaceCovered(
                f"Something covers the {' and the '.join(covered)}, such as "
                f"{' or '.join(_EXAMPLES[part] for part in covered)}, or the picture is a "
                "drawing. A photograph of an uncovered face is required."
            )
