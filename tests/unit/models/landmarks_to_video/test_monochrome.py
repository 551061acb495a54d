"""Portraits with a single hue keep it."""

import numpy as np
import torch
from torch import Tensor

from models.landmarks_to_video.monochrome import read_palette
from models.landmarks_to_video.painter_network import PainterConfig
from models.landmarks_to_video.visual_translator import TranslatorConfig, VisualTranslator
from tests.unit.models.faces import face_landmarks, face_picture

TINY = PainterConfig((8, 8, 8), (4, 4, 4), (1, 1, 1), 8, 8)
LUMA = torch.tensor([0.299, 0.587, 0.114]).reshape(1, 3, 1, 1)


def grey(colour: Tensor) -> Tensor:
    return (colour * LUMA).sum(dim=1, keepdim=True).expand(-1, 3, -1, -1)


def picture() -> Tensor:
    return torch.from_numpy(face_picture()).permute(2, 0, 1)[None].float() / 255


def test_a_colourful_picture_has_no_palette() -> None:
    assert read_palette(picture()) is None


def test_a_grey_picture_greys_every_colour() -> None:
    palette = read_palette(grey(picture()))
    assert palette is not None
    red = torch.tensor([0.8, 0.1, 0.1]).reshape(1, 3, 1, 1)
    torch.testing.assert_close(palette.tint(red), grey(red), atol=2e-3, rtol=0)


def test_a_toned_picture_gives_its_tone() -> None:
    tone = torch.tensor([0.10, 0.0, -0.12]).reshape(1, 3, 1, 1)
    shown = grey(picture())
    palette = read_palette(shown + tone * shown * (1 - shown))
    assert palette is not None
    green = torch.full((1, 3, 1, 1), 0.5) + torch.tensor([-0.2, 0.2, 0.0]).reshape(1, 3, 1, 1)
    wanted = grey(green) + tone * grey(green) * (1 - grey(green))
    expected = wanted - grey(tone).mul(grey(green) * (1 - grey(green)))
    torch.testing.assert_close(palette.tint(green), expected, atol=0.02, rtol=0)


def test_a_toned_picture_may_be_compressed() -> None:
    tone = torch.tensor([0.10, 0.0, -0.12]).reshape(1, 3, 1, 1)
    shown = grey(picture())
    stained = 5 / 255 * torch.where(torch.arange(256) % 32 < 16, 1.0, -1.0)
    stains = stained * torch.tensor([1.0, 0.0, -1.0]).reshape(1, 3, 1, 1)
    assert read_palette(shown + tone * shown * (1 - shown) + stains) is not None
    assert read_palette(shown + tone * shown * (1 - shown) + 2 * stains) is None


def test_a_grey_portrait_speaks_in_grey() -> None:
    torch.manual_seed(0)
    network = VisualTranslator(TranslatorConfig(TINY, TINY, 8, 2)).eval()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    shown = (grey(picture())[0].permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
    features = network.prepare(shown, face_landmarks())
    frames = network.render(features, face_landmarks(opening=12)[None]).astype(int)
    assert np.abs(frames[0] - shown).max() > 30
    assert np.percentile(np.ptp(frames, axis=-1), 99.9) <= 3
