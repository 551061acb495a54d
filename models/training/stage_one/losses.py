"""Losses of stage one: positions of points, their motion, and what a face displays."""

import torch
import torch.nn.functional as F
from torch import Tensor

from media.faces.landmarks import INNER_LIPS, MOUTH, NUM_LANDMARKS
from models.face.retargeting import LOWER_INNER, UPPER_INNER


def point_weights() -> Tensor:
    """Return `[79, 1]`: lips count 4 times, inner lips 6 times as much as other points."""
    weights = torch.ones(NUM_LANDMARKS, 1)
    weights[MOUTH] = 4.0
    weights[INNER_LIPS] = 6.0
    return weights / weights.mean()


def lip_opening(motion: Tensor) -> Tensor:
    """Return the inner lips' mean opening `[..., T]` of displacements `[..., T, 79, 2]`."""
    gap = motion[..., LOWER_INNER, 1] - motion[..., UPPER_INNER, 1]
    return gap.mean(-1)


def lip_width(motion: Tensor) -> Tensor:
    """Return the width of the mouth relative to rest, `[..., T]`."""
    return motion[..., 54, 0] - motion[..., 48, 0]


def speech_losses(motion: Tensor, target: Tensor) -> dict[str, Tensor]:
    """Compare displacements `[B, T, 79, 2]` in inter-ocular units with the tracked ones.

    Opening and width are added to the points because they matter most for reading a face; the
    correlation keeps the small movements of quiet speakers relevant.
    """
    weights = point_weights().to(motion)
    opening, wanted = lip_opening(motion), lip_opening(target)
    return {
        "points": 20.0 * (weights * (motion - target).abs()).mean(),
        "opening": 20.0 * F.l1_loss(opening, wanted),
        "width": 10.0 * F.l1_loss(lip_width(motion), lip_width(target)),
        "velocity": 20.0 * (weights * _change(motion - target).abs()).mean(),
        "acceleration": 5.0 * (weights * _change(_change(motion - target)).abs()).mean(),
        "correlation": 0.3 * (1.0 - correlation(opening, wanted)).mean(),
        "amplitude": 5.0 * (opening.std(1) - wanted.std(1)).abs().mean(),
    }


def _change(values: Tensor) -> Tensor:
    return values[:, 1:] - values[:, :-1]


def correlation(one: Tensor, other: Tensor) -> Tensor:
    """Return Pearson's r `[B]` of sequences `[B, T]`; 0 for one that hardly moves."""
    one = one - one.mean(1, keepdim=True)
    other = other - other.mean(1, keepdim=True)
    power = one.square().sum(1) * other.square().sum(1)
    return (one * other).sum(1) / (power + 1e-6).sqrt()


def pull_together(audio: Tensor, visual: Tensor) -> Tensor:
    """Return one less the cosine between paired embeddings `[B, 64]`."""
    return (1.0 - F.cosine_similarity(audio, visual, dim=-1)).mean()


def cross_modal_contrast(
    audio: Tensor, visual: Tensor, labels: Tensor, paired: Tensor, temperature: float = 0.1
) -> Tensor:
    """Pull embeddings `[B, 64]` to the other modality's of the same label, and push the rest away.

    Where voice and face are `paired` `[B]` by their take, they are pulled to each other alone;
    others of the same label are neither pulled nor pushed. Supervised contrastive loss (Khosla et
    al., 2020), with positives from the other modality.
    """
    likeness = F.normalize(audio, dim=-1) @ F.normalize(visual, dim=-1).T / temperature
    same = labels[:, None] == labels[None, :]
    takes = paired[:, None] | paired[None, :]
    positive = same & ~takes | torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    likeness = likeness.masked_fill(same & ~positive, -torch.inf)
    both = (likeness.log_softmax(1) + likeness.log_softmax(0)).masked_fill(~positive, 0.0)
    return -both.sum(1).div(positive.sum(1)).mean() / 2.0
