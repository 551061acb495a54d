import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from torch import Tensor
from torch.nn import functional as F

from models.landmarks_to_video.frame_drawing import Layer
from models.landmarks_to_video.smile_folds import smile_folds
from tests.unit.models.typical_face import pixel_face

SKIN, FOLD, HAIR = 0.6, 0.34, 0.1
LEFT, RIGHT, TOP, BOTTOM = 86, 170, 140, 185
"""Where folds lie, px: beside the mouth, 9 px from its corners."""


def at_rest() -> Tensor:
    return torch.from_numpy(pixel_face())[None]


def smiling() -> Tensor:
    """Return lips `[1, 79, 2]` whose corners lie 10 px further out and 6 px higher than at rest."""
    face = torch.from_numpy(pixel_face(opening=0.15))[None]
    face[:, [48, 60]] += torch.tensor([-10.0, -6.0])
    face[:, [54, 64]] += torch.tensor([10.0, -6.0])
    return face


def cheek_with_line(light: float, scale: int = 1) -> Tensor:
    """Draw `[1, 3, S, S]`, S 256 times `scale`: skin with a line on each cheek, 4 px wide."""
    picture = Image.new("F", (256 * scale, 256 * scale), SKIN)
    for x in (LEFT, RIGHT):
        box = [scale * side for side in (x - 2, TOP, x + 2, BOTTOM)]
        ImageDraw.Draw(picture).rectangle(box, fill=light)
    return torch.from_numpy(np.array(picture)).expand(1, 3, -1, -1)


def line_of(image: Tensor, target: Tensor, scale: int = 1) -> float:
    """Return how light the line is once the smile has come to `target`, unmoved."""
    folds = smile_folds(image, smiling(), scale)
    assert folds
    layer = folds.smoothed(smiling(), target, torch.zeros(1, 2, 64, 64), scale)
    x, y = (layer.origin[0] * scale).tolist()
    height, width = layer.opacity.shape[-2:]
    window = image[:, :, y : y + height, x : x + width]
    shown = window * (1 - layer.opacity) + layer.colour
    assert_skin_is_left(layer, window)
    middle = (TOP + BOTTOM) // 2
    return float(shown[0, 0, middle * scale - y, LEFT * scale - x])


def assert_skin_is_left(layer: Layer, window: Tensor) -> None:
    far = F.max_pool2d((window < SKIN).float(), 25, 1, 12)[:, :1] == 0
    changed = (layer.colour - layer.opacity * window).abs()
    assert float(changed[far.expand_as(changed)].max()) < 0.01


@pytest.mark.parametrize("scale", [1, 2])
def test_a_fold_fades_as_the_smile_goes(scale: int) -> None:
    line = line_of(cheek_with_line(FOLD, scale), at_rest(), scale)
    assert FOLD + 0.2 * (SKIN - FOLD) < line < SKIN


def test_a_fold_stays_while_the_smile_stays() -> None:
    assert line_of(cheek_with_line(FOLD), smiling()) == pytest.approx(FOLD)


def test_hair_on_a_cheek_stays() -> None:
    assert line_of(cheek_with_line(HAIR), at_rest()) < HAIR + 0.15 * (SKIN - HAIR)


def test_a_face_at_rest_has_no_folds_of_a_smile() -> None:
    assert smile_folds(cheek_with_line(FOLD), at_rest()) is None


def test_even_skin_stays() -> None:
    folds = smile_folds(torch.full((1, 3, 256, 256), SKIN), smiling())
    assert folds
    assert float(folds.skin.abs().max()) == 0
