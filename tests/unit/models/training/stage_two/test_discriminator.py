import numpy as np
import pytest
import torch

from models.landmarks_to_video.face_regions import EYES, MOUTH
from models.training.common.compute import Compute
from models.training.stage_two.discriminator import Critic, PatchDiscriminator, hinge
from models.training.stage_two.face_pairs import PairSampler
from tests.unit.models.training.talking_faces import talking_faces


def test_the_discriminator_scores_quarter_size_patches() -> None:
    window, maps = torch.rand(2, 3, EYES.height, EYES.width), torch.zeros(2, 4, 20, 52)
    scores, features = PatchDiscriminator(width=4)(window, maps)
    assert scores.shape == (2, 1, 10, 26)
    assert len(features) == 4


def test_hinge_is_zero_once_real_and_fake_are_separated() -> None:
    ones = torch.ones(1, 1, 2, 2)
    assert hinge(2 * ones, -2 * ones, ones) == 0
    assert hinge(-ones, ones, ones) == 4


@pytest.mark.parametrize("share", [0.1, 0.7])
def test_the_adversarial_gradient_has_the_requested_weight(share: float) -> None:
    torch.manual_seed(0)
    pairs = PairSampler(talking_faces(), np.random.default_rng(0)).window_pairs(2, MOUTH)
    pixels = torch.rand_like(pairs.wanted).requires_grad_()
    weight = torch.ones_like(pixels[:, :1])
    terms = Critic(Compute()).judge(pixels, pairs, weight, share)
    torch.stack(list(terms.values())).sum().backward()  # type: ignore[no-untyped-call]
    assert pixels.grad is not None
    assert (pixels.grad.abs().mean() * pixels.numel()).item() == pytest.approx(share, rel=1e-3)
