"""What stage two renders, a flow and painted layers, and how frames of the crop are drawn from it.

    the crop's pixels ──► moved by the flow and the layers' shifts ──► the layers' colours ──► frame

No full-size picture is held in floating point on the way: a CPU moves bytes, a GPU draws the batch
at once.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from models.landmarks_to_video.face_regions import cut, paste
from models.landmarks_to_video.warping import (
    FLOW_STRIDE,
    flow_coordinates,
    sample,
    upsample_flow,
)

Pixels = NDArray[np.uint8]
Map = NDArray[np.float32]


@dataclass(frozen=True)
class Layer:
    """What one painter laid over the warped portrait, and where.

    Of a frame of S px, h and w are S / 256 times the window's size.

    origin: `[B, 2]` left and top of its window, whole px of a 256 px crop.
    shift: `[B, 2, h, w]` what it adds to the flow beneath, px of a 256 px crop.
    colour: `[B, 3, h, w]` new colour, 0-1, already multiplied by its opacity.
    opacity: `[B, 1, h, w]` 0-1; what is left over, the warp shows through.
    """

    origin: Tensor
    shift: Tensor
    colour: Tensor
    opacity: Tensor


@dataclass(frozen=True)
class Rendering:
    """B rendered frames, yet to be drawn.

    flow: `[B, 2, 64, 64]` backward flow, px of a 256 px crop, whatever S.
    layers: one per painter, from bottom to top.
    scale: pixels of the layers for each of a 256 px crop, 1 or 2.
    """

    flow: Tensor
    layers: tuple[Layer, ...]
    scale: int = 1


@dataclass(frozen=True, eq=False)
class Paint:
    """What a painter laid over one frame, at the frame's resolution.

    window: its rows and columns within the frame.
    shift: `[h, w, 2]` what it adds to the places that are read, px.
    colour: `[h, w, 4]` RGB multiplied by its opacity, and the opacity, 0-1.
    """

    window: tuple[slice, slice]
    shift: Map
    colour: Map

    def over(self, pixels: Pixels) -> Pixels:
        """Return `[h, w, 3]` with the paint on it; both may be empty."""
        if not pixels.size:
            return pixels
        left = cv2.merge([1 - self.colour[..., 3]] * 3)
        beneath = cv2.multiply(pixels, left, dtype=cv2.CV_32F)
        colour = cv2.cvtColor(self.colour, cv2.COLOR_RGBA2RGB)
        mixed = cv2.addWeighted(beneath, 1, colour, 255, 0, dtype=cv2.CV_8U)
        return np.asarray(mixed, np.uint8)


def draw_on_cpu(crop: Pixels, rendering: Rendering) -> Pixels:
    """Return the frames `[B, S, S, 3]` RGB of a crop `[S, S, 3]`; no frame is held as floats."""
    flows = maps(rendering.flow * rendering.scale)
    frames = np.empty((len(rendering.flow), *crop.shape), np.uint8)
    layers = [_paints(layer, rendering.scale) for layer in rendering.layers]
    for frame, flow, *paints in zip(frames, flows, *layers, strict=True):
        shift = cv2.resize(flow, crop.shape[1::-1])
        for paint in paints:
            shift[paint.window] += paint.shift
        how = cv2.INTER_LINEAR | cv2.WARP_RELATIVE_MAP
        cv2.remap(crop, shift, None, how, frame, cv2.BORDER_REPLICATE)  # type: ignore[call-overload]
        for paint in paints:
            frame[paint.window] = paint.over(frame[paint.window])
    return frames


def _paints(layer: Layer, scale: int) -> Iterator[Paint]:
    """Yield a layer frame by frame, in pixels of the frame."""
    shifts = maps(layer.shift * scale)
    colours = maps(layer.colour, layer.opacity)
    height, width = layer.shift.shape[-2:]
    origins = (layer.origin * scale).tolist()
    for (x, y), shift, colour in zip(origins, shifts, colours, strict=True):
        yield Paint((slice(y, y + height), slice(x, x + width)), shift, colour)


def draw_on_device(crop: Tensor, rendering: Rendering) -> Tensor:
    """Return the frames `[B, S, S, 3]` RGB, 0-255 as bytes, of a crop `[1, 3, S, S]`, 0-1."""
    scale = rendering.scale
    flow = upsample_flow(rendering.flow.float(), FLOW_STRIDE * scale)
    for layer in rendering.layers:
        origin, size = layer.origin * scale, layer.shift.shape[-2:]
        flow = paste(flow, cut(flow, origin, *size) + layer.shift, origin)
    image = crop.expand(len(flow), -1, -1, -1)
    frames = sample(image, flow_coordinates(flow, 1 / scale), scale)
    for layer in rendering.layers:
        origin, size = layer.origin * scale, layer.shift.shape[-2:]
        mixed = cut(frames, origin, *size) * (1 - layer.opacity) + layer.colour
        frames = paste(frames, mixed, origin)
    return (frames.clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).contiguous()


def maps(*tensors: Tensor) -> Iterator[Map]:
    """Yield what has channels `[B, C, h, w]` in one or more tensors row by row, as `[h, w, C]`."""
    for rows in zip(*(tensor.float().cpu().numpy() for tensor in tensors), strict=True):
        yield cv2.merge([plane for row in rows for plane in row])
