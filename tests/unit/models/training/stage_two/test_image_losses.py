import pytest
import torch

from models.landmarks_to_video.face_regions import EYES, MOUTH, Region, window_origin
from models.training.stage_two.image_losses import (
    PerceptualLoss,
    gradient_l1,
    region_masks,
    weighted_l1,
)
from tests.unit.models.faces import face_landmarks


def perceptual() -> PerceptualLoss:
    sizes = [(3, 4), (4, 4), (4, 6), (6, 6)]
    return PerceptualLoss([torch.nn.Conv2d(a, b, 3, padding=1) for a, b in sizes])


def test_gradients_punish_blur_more_than_an_even_shift() -> None:
    wanted = torch.rand(1, 3, 16, 16)
    blurred = torch.nn.functional.avg_pool2d(wanted, 3, stride=1, padding=1)
    weight = torch.ones(1, 1, 16, 16)
    assert gradient_l1(wanted + 0.1, wanted, weight) < 1e-6
    assert gradient_l1(blurred, wanted, weight) > 0.1


def test_weights_choose_what_counts() -> None:
    image, wanted = torch.zeros(1, 3, 4, 4), torch.zeros(1, 3, 4, 4)
    image[..., 0, 0] = 1
    weight = torch.ones(1, 1, 4, 4)
    weight[..., 0, 0] = 0
    assert weighted_l1(image, wanted, weight) == 0


@pytest.mark.parametrize("region", [MOUTH, EYES])
def test_what_may_be_painted_holds_what_must_be(region: Region) -> None:
    landmarks = torch.from_numpy(face_landmarks(opening=10))[None]
    core, around = region_masks(landmarks, region, window_origin(landmarks, region))
    assert (around >= core).all()
    assert 0 < core.mean() < around.mean() < 0.9


def test_equal_windows_are_perceived_equal() -> None:
    loss, window = perceptual(), torch.rand(2, 3, MOUTH.height, MOUTH.width)
    weight = torch.ones(2, 1, MOUTH.height, MOUTH.width)
    assert loss(window, window, weight) == 0
    assert loss(window, 1 - window, weight) > 0
    assert not any(p.requires_grad for p in loss.parameters())
