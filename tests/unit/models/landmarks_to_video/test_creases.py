from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from models.landmarks_to_video.creases import FACE, MOVEMENTS, Creases, creases, movements
from models.landmarks_to_video.face_regions import window_origin
from models.landmarks_to_video.frame_drawing import Layer
from tests.unit.models.typical_face import pixel_face

SKIN = (0.8, 0.6, 0.5)
STILL = torch.zeros(1, 2, 64, 64)
BROWS = slice(17, 27)


def at_rest() -> Tensor:
    return torch.from_numpy(pixel_face())[None]


def moved(movement: str, px: float = 7.0) -> Tensor:
    """Return a face `[1, 79, 2]` that makes one of the movements."""
    face = at_rest()
    if movement == "frown":
        face[:, [20, 21]] += torch.tensor([px / 2, px / 2])
        face[:, [22, 23]] += torch.tensor([-px / 2, px / 2])
    elif movement == "inner brows":
        face[:, 20:24, 1] -= px
    elif movement == "outer brows":
        face[:, [18, 19, 24, 25], 1] -= px
    elif movement == "sneer":
        face[:, [31, 35], 1] -= px
    else:
        face[:, 48] += torch.tensor([-px, -px])
        face[:, 54] += torch.tensor([px, -px])
    return face


def skin(scale: int = 1, grain: float = 0.02) -> Tensor:
    """Draw `[1, 3, S, S]`, S 256 times `scale`: skin with a grain."""
    noise = torch.randn(1, 1, 256, 256, generator=torch.Generator().manual_seed(0))
    noise = noise.repeat_interleave(scale, 2).repeat_interleave(scale, 3)
    return (torch.tensor(SKIN)[None, :, None, None] * (1 + grain * noise)).clamp(0, 1)


def drawn(movement: str, image: Tensor, scale: int = 1) -> Layer:
    layer = creases(image, at_rest(), scale).drawn(at_rest(), moved(movement), STILL, scale)
    assert layer
    return layer


def darkest(layer: Layer, scale: int = 1) -> tuple[float, float]:
    """Return where a layer is darkest, px of the crop."""
    row, column = divmod(int(layer.opacity[0, 0].argmax()), layer.opacity.shape[-1])
    x, y = layer.origin[0].tolist()
    return x + column / scale, y + row / scale


@pytest.mark.parametrize("movement", MOVEMENTS)
def test_a_movement_is_told_from_the_others(movement: str) -> None:
    strength = movements(at_rest(), moved(movement))[0]
    assert MOVEMENTS[int(strength.argmax())] == movement
    assert float(strength.max()) > 0.5


def test_a_turned_head_and_a_small_movement_make_none() -> None:
    angle = torch.tensor(0.2)
    turn = torch.stack(
        [torch.stack([angle.cos(), angle.sin()]), torch.stack([-angle.sin(), angle.cos()])]
    )
    turned = (at_rest() - 128) @ turn + 128
    assert not movements(at_rest(), turned).any()
    fitted = creases(skin(), at_rest())
    assert fitted.drawn(at_rest(), moved("frown", 1.0), STILL, 1) is None


def test_a_blink_makes_none() -> None:
    shut = at_rest()
    shut[:, [37, 38, 43, 44]] = shut[:, [41, 40, 47, 46]]
    assert not movements(at_rest(), shut).any()


@pytest.mark.parametrize("scale", [1, 2])
def test_a_frown_presses_lines_between_the_brows(scale: int) -> None:
    layer = drawn("frown", skin(scale), scale)
    x, y = darkest(layer, scale)
    face = at_rest()[0]
    assert float(face[20, 0]) < x < float(face[23, 0])
    assert abs(y - float(face[BROWS, 1].mean())) < 16
    assert float(layer.opacity.max()) > 0.08


def test_raised_brows_wrinkle_the_forehead() -> None:
    assert darkest(drawn("outer brows", skin()))[1] < float(at_rest()[0, BROWS, 1].min())


def test_creases_grow_with_the_movement() -> None:
    fitted = creases(skin(), at_rest())
    depths = []
    for px in (3.0, 4.0, 5.0, 6.0):
        layer = fitted.drawn(at_rest(), moved("frown", px), STILL, 1)
        assert layer
        depths.append(float(layer.opacity.max()))
    assert depths == sorted(depths)
    assert max(b - a for a, b in pairwise(depths)) < 0.1


def test_only_moving_frames_of_a_batch_have_creases() -> None:
    fitted = creases(skin(), at_rest())
    both = torch.cat([at_rest(), moved("smile")])
    layer = fitted.drawn(at_rest().expand(2, -1, -1), both, STILL.expand(2, -1, -1, -1), 1)
    assert layer
    assert not layer.opacity[0].any()
    assert layer.opacity[1].any()


def test_creases_move_with_the_skin() -> None:
    fitted = creases(skin(), at_rest())
    flow = torch.zeros(1, 2, 64, 64)
    flow[:, 1] = -8.0
    lower = fitted.drawn(at_rest(), moved("frown"), flow, 1)
    assert lower
    assert darkest(lower)[1] == pytest.approx(darkest(drawn("frown", skin()))[1] + 8, abs=1)


def test_smooth_skin_creases_less() -> None:
    smooth, rough = (drawn("frown", skin(grain=g)).opacity.max() for g in (0.002, 0.03))
    assert float(smooth) < 0.7 * float(rough)


def test_hair_over_the_forehead_has_no_lines() -> None:
    fringe = skin()
    fringe[..., :85, :] *= 0.2
    fitted = creases(fringe, at_rest())
    y = int(fitted.origin[0, 1])
    assert not fitted.maps[..., : 85 - y, :].any()


def test_grey_portraits_stay_grey() -> None:
    fitted = creases(skin().mean(dim=1, keepdim=True).expand(-1, 3, -1, -1), at_rest(), grey=True)
    layer = fitted.drawn(at_rest(), moved("frown"), STILL, 1)
    assert layer
    assert not layer.colour.any()


def test_nothing_is_drawn_where_nothing_is_bare() -> None:
    fitted: Creases = replace(creases(skin(), at_rest()), boxes=(None,) * len(MOVEMENTS))
    assert fitted.drawn(at_rest(), moved("frown"), STILL, 1) is None


def test_what_is_drawn_lies_within_the_face_window() -> None:
    left, top = window_origin(at_rest(), FACE)[0].tolist()
    layer = drawn("smile", skin())
    x, y = layer.origin[0].tolist()
    height, width = layer.opacity.shape[-2:]
    assert left <= x <= x + width <= left + FACE.width
    assert top <= y <= y + height <= top + FACE.height
