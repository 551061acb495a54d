"""Colours of a portrait's skin and lips, to which painted colours are tied."""

import torch
from torch import Tensor

from models.landmarks_to_video.ramps import rise
from models.landmarks_to_video.upright import face_frame
from models.landmarks_to_video.warping import sample

COMPLEXION = 7
"""Log brightness of the skin, then the logs of skin and lips relative to it, channel by channel."""
SKIN = ((31, 48), (35, 54), (33, 51), (57, 8), (59, 6), (55, 10), (58, 7), (56, 9))
LIPS = ((50, 61), (51, 62), (52, 63), (58, 67), (57, 66), (56, 65))
"""Pairs of landmarks; the colours are read halfway between them."""
SPREAD = ((0, 0), (-2, 0), (2, 0), (0, -2), (0, 2))
"""Positions around each of them, px, that are averaged."""
DARK = 0.02
HAIR = (0.1, 0.5)
"""By how much lips are lighter than the skin around them, as logs, from which on that is partly a
beard, and from which all of it. Of 845 portraits, one in 25 has lips that are lighter by 0.04.
"""
LIPS_TINT = (0.09, -0.11, -0.02)
"""Log of the lips' tint over the skin's, channel by channel: the median of these portraits."""
SIDES = (((50, 61), (52, 63)), ((58, 67), (56, 65)), ((31, 48), (35, 54)), ((59, 6), (55, 10)))
"""Pairs of landmarks to the left and to the right, between which lips and skin are compared."""
HIDDEN = 0.1
"""Inter-ocular distances that the two sides are taken to lie apart, at least."""
SHARPEST = 2.0
"""Slope of the light beyond which it is not the light: 3% of 845 portraits have more."""


def complexion(image: Tensor, landmarks: Tensor, shift: Tensor, scale: int = 1) -> Tensor:
    """Return `[B, COMPLEXION]` around the mouth, for portraits or windows of them.

    Args:
        image: `[B, 3, scale * H, scale * W]`, 0-1.
        landmarks: `[B, 79, 2]` px of the crop.
        shift: `[B, 2]` left and top of the window in the crop, px.
        scale: pixels of the image per pixel of the crop.
    """
    skin, lips = (_colour(image, landmarks, shift, pairs, scale) for pairs in (SKIN, LIPS))
    skin = _without_beard(skin, lips)
    brightness = skin.mean(dim=1, keepdim=True)
    return torch.cat(
        [brightness.log(), (skin / brightness).log(), (lips / brightness).log()], dim=1
    )


def sidelight(image: Tensor, landmarks: Tensor, shift: Tensor, scale: int = 1) -> Tensor:
    """Return `[B]`: by how much the log of the light on a mouth grows to the right.

    For each inter-ocular distance, as lips and skin on both sides have it. The arguments are those
    of `complexion`.
    """
    distance, across = face_frame(landmarks)
    slopes = []
    for pairs in SIDES:
        colours, places = _sites(image, landmarks, shift, pairs, scale)
        left, right = colours.mean(dim=1).clamp_min(DARK).unbind(dim=1)
        apart = ((places[:, 1] - places[:, 0]) * across).sum(dim=-1) / distance
        slopes.append((right / left).log() / apart.clamp_min(HIDDEN))
    return torch.stack(slopes).mean(dim=0).clamp(-SHARPEST, SHARPEST)


def _without_beard(skin: Tensor, lips: Tensor) -> Tensor:
    """Return the skin's colour `[B, 3]`, or that of skin as light as the lips if it is a beard's.

    A beard is darker than lips, and black hair is bluish.
    """
    light = lips.mean(dim=1, keepdim=True)
    hair = rise((light / skin.mean(dim=1, keepdim=True)).log(), *HAIR)
    bare = lips / lips.new_tensor(LIPS_TINT).exp()
    bare = bare * light / bare.mean(dim=1, keepdim=True)
    return torch.lerp(skin, bare, hair)


def _colour(
    image: Tensor, landmarks: Tensor, shift: Tensor, pairs: tuple[tuple[int, int], ...], scale: int
) -> Tensor:
    """Return the median colour `[B, 3]` halfway between the pairs."""
    colours, _ = _sites(image, landmarks, shift, pairs, scale)
    return colours.median(dim=2).values.clamp_min(DARK)


def _sites(
    image: Tensor, landmarks: Tensor, shift: Tensor, pairs: tuple[tuple[int, int], ...], scale: int
) -> tuple[Tensor, Tensor]:
    """Return the colours `[B, 3, N]` halfway between N pairs, and these places `[B, N, 2]` px."""
    first, second = (list(side) for side in zip(*pairs, strict=True))
    middles = (landmarks[:, first] + landmarks[:, second]) / 2 - shift[:, None].to(landmarks)
    places = middles[:, :, None] + landmarks.new_tensor(SPREAD)
    return sample(image, places, scale).mean(dim=3), middles
