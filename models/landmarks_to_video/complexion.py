"""Colours of a portrait's skin and lips, to which painted colours are tied."""

import torch
from torch import Tensor

from models.landmarks_to_video.warping import sample

COMPLEXION = 7
"""Log brightness of the skin, then the logs of skin and lips relative to it, channel by channel."""
SKIN = ((31, 48), (35, 54), (33, 51), (57, 8), (59, 6), (55, 10), (58, 7), (56, 9))
LIPS = ((50, 61), (51, 62), (52, 63), (58, 67), (57, 66), (56, 65))
"""Pairs of landmarks; the colours are read halfway between them."""
SPREAD = ((0, 0), (-2, 0), (2, 0), (0, -2), (0, 2))
"""Positions around each of them, px, that are averaged."""
DARK = 0.02


def complexion(image: Tensor, landmarks: Tensor, shift: Tensor, scale: int = 1) -> Tensor:
    """Return `[B, COMPLEXION]` around the mouth, for portraits or windows of them.

    Args:
        image: `[B, 3, scale * H, scale * W]`, 0-1.
        landmarks: `[B, 79, 2]` px of the crop.
        shift: `[B, 2]` left and top of the window in the crop, px.
        scale: pixels of the image per pixel of the crop.
    """
    skin, lips = (_colour(image, landmarks, shift, pairs, scale) for pairs in (SKIN, LIPS))
    brightness = skin.mean(dim=1, keepdim=True)
    return torch.cat(
        [brightness.log(), (skin / brightness).log(), (lips / brightness).log()], dim=1
    )


def _colour(
    image: Tensor, landmarks: Tensor, shift: Tensor, pairs: tuple[tuple[int, int], ...], scale: int
) -> Tensor:
    """Return the median colour `[B, 3]` halfway between the pairs."""
    first, second = (list(side) for side in zip(*pairs, strict=True))
    middles = (landmarks[:, first] + landmarks[:, second]) / 2 - shift[:, None].to(landmarks)
    places = middles[:, :, None] + landmarks.new_tensor(SPREAD)
    colours = sample(image, places, scale).mean(dim=3)
    return colours.median(dim=2).values.clamp_min(DARK)
