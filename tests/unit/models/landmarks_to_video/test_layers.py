import torch
from torch.nn import functional as F

from models.landmarks_to_video.layers import (
    FeatureAdaptiveBlock,
    PixelNorm,
    Stem,
    Upsample,
    grown,
    without_strands,
)


def test_pixel_norm_is_independent_of_neighbours() -> None:
    x = torch.randn(1, 8, 6, 6)
    whole = PixelNorm()(x)
    torch.testing.assert_close(whole[..., 2:4, 3:5], PixelNorm()(x[..., 2:4, 3:5]))
    torch.testing.assert_close(whole.mean(dim=1), torch.zeros(1, 6, 6), atol=1e-5, rtol=0)


def test_a_feature_adaptive_block_starts_as_the_identity() -> None:
    x, landmarks = torch.randn(2, 8, 5, 5), torch.randn(2, 4, 5, 5)
    assert FeatureAdaptiveBlock(8, 4)(x, landmarks).equal(x)


def test_landmark_features_steer_a_trained_block() -> None:
    torch.manual_seed(0)
    block = FeatureAdaptiveBlock(8, 4)
    for parameter in block.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    x = torch.randn(1, 8, 5, 5)
    outputs = [block(x, torch.full((1, 4, 5, 5), value)) for value in (0.0, 1.0)]
    assert (outputs[0] - outputs[1]).abs().max() > 0.1


def test_upsample_doubles_and_narrows() -> None:
    assert Upsample(8, 3)(torch.randn(2, 8, 5, 7)).shape == (2, 3, 10, 14)


def test_a_stem_sees_what_a_convolution_of_unshuffled_pixels_sees() -> None:
    stem, x = Stem(3, 8), torch.randn(2, 3, 10, 12)
    unshuffled = F.pixel_unshuffle(stem.weight, 2)
    expected = F.conv2d(F.pixel_unshuffle(x, 2), unshuffled, stem.bias, padding=1)
    torch.testing.assert_close(stem(x), expected)


def test_a_grown_mask_reaches_as_far_in_every_direction() -> None:
    mask = torch.zeros(1, 1, 15, 15)
    mask[..., 7, 7] = 1
    square = F.avg_pool2d(F.max_pool2d(mask, 5, 1, 2), 5, 1, 2)
    torch.testing.assert_close(grown(mask, 2), square)


def test_strands_go_and_bars_stay_as_they_are() -> None:
    strand, bar = torch.zeros(1, 1, 9, 20), torch.zeros(1, 1, 9, 20)
    strand[..., 4:8] = 1
    bar[..., 3:5, 12:] = 1
    assert without_strands(torch.maximum(strand, bar), 2).equal(bar)
