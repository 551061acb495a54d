"""Frames are drawn from a flow and layers, alike on a CPU and on a device."""

import numpy as np
import torch
from numpy.typing import NDArray

from models.landmarks_to_video.frame_drawing import (
    Layer,
    Rendering,
    draw_on_cpu,
    draw_on_device,
)
from models.landmarks_to_video.warping import pixel_grid
from tests.unit.models.faces import face_picture


def drawn_on_device(crop: NDArray[np.uint8], rendering: Rendering) -> NDArray[np.uint8]:
    image = torch.from_numpy(crop).permute(2, 0, 1)[None].float() / 255
    return draw_on_device(image, rendering).numpy()


def still(frames: int = 1, *layers: Layer, scale: int = 1) -> Rendering:
    return Rendering(torch.zeros(frames, 2, 64, 64), layers, scale)


def noise(side: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)


def waves(frames: int) -> torch.Tensor:
    """Return a smooth flow `[frames, 2, 64, 64]` of up to 6 px, another for each frame."""
    phase = torch.arange(frames)[:, None, None, None]
    return 6 * torch.sin(pixel_grid(64, 64).permute(2, 0, 1)[None] / 9 + phase)


def swirl(frames: int, scale: int) -> Layer:
    """Return a layer that moves, tints and covers, another for each frame."""
    size = 48 * scale, 64 * scale
    ramp = torch.linspace(0, 1, size[1]).expand(frames, 1, *size)
    origin = torch.tensor([[96 + 8 * frame, 120] for frame in range(frames)])
    return Layer(origin, 3 * ramp.expand(-1, 2, -1, -1), ramp * 0.3 + ramp.new_zeros(3, 1, 1), ramp)


def test_a_face_at_rest_is_the_crop_itself() -> None:
    for scale in (1, 2):
        crop = noise(256 * scale)
        np.testing.assert_array_equal(draw_on_cpu(crop, still(scale=scale))[0], crop)
        np.testing.assert_array_equal(drawn_on_device(crop, still(scale=scale))[0], crop)


def test_a_cpu_and_a_device_draw_the_same_frames() -> None:
    """The CPU reads at steps of 1/32 px, which bounds the difference."""
    for scale in (1, 2):
        crop = np.repeat(np.repeat(face_picture(), scale, axis=0), scale, axis=1)
        rendering = Rendering(waves(3), (swirl(3, scale),), scale)
        frames = [draw(crop, rendering).astype(int) for draw in (draw_on_cpu, drawn_on_device)]
        difference = np.abs(frames[0] - frames[1])
        assert difference.mean() < 0.2
        assert difference.max() <= 8
        assert np.abs(frames[0] - crop).max() > 50


def test_paint_covers_its_window_and_nothing_else() -> None:
    crop, white = noise(256), torch.ones(1, 1, 24, 40)
    layer = Layer(torch.tensor([[64, 32]]), white * torch.zeros(2, 1, 1), white * 0.5, white)
    layer = Layer(layer.origin, layer.shift, layer.colour.expand(-1, 3, -1, -1), layer.opacity)
    frame = draw_on_cpu(crop, still(1, layer))[0]
    assert np.abs(frame[32:56, 64:104].astype(int) - 128).max() <= 1
    frame[32:56, 64:104] = crop[32:56, 64:104]
    np.testing.assert_array_equal(frame, crop)
