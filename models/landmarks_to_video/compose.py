"""The animated face within its whole portrait, at the portrait's own resolution.

    the picture's own pixels ──► moved by the crop's flow, enlarged ──► face ──► into the picture
                                                                         ▲
    what the painters made, a layer over the crop ──► enlarged ──────────┘ laid over

Only what no warp can reveal, teeth and lids, is as coarse as the crop. Towards the crop's edge the
motion dies away, so that the face meets the picture without a seam.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil, floor

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from models.face.cropping import Square
from models.face.landmarks import CROP_SIZE
from models.landmarks_to_video.visual_translator import Layer, Rendering
from models.landmarks_to_video.warping import FLOW_STRIDE

MAX_SIDE = 1920
"""Pixels of a composed frame's longer side; larger pictures are scaled down to it."""
RIM = 24
"""Pixels of the crop over which the motion dies away towards its edge."""

Pixels = NDArray[np.uint8]
Map = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Paint:
    """What a painter laid over one frame, at the frame's resolution.

    window: its rows and columns within the crop's square.
    shift: `[h, w, 2]` what it adds to the places that are read, px.
    colour: `[h, w, 4]` RGB multiplied by its opacity, and the opacity, 0-1.
    """

    window: tuple[slice, slice]
    shift: Map
    colour: Map

    def over(self, pixels: Pixels) -> Pixels:
        """Return `[h, w, 3]` with the paint upon it."""
        mixed = pixels * (1 - self.colour[..., 3:]) + 255 * self.colour[..., :3]
        painted: Pixels = np.clip(np.rint(mixed), 0, 255).astype(np.uint8)
        return painted


class Composer:
    """Lays the moving face of one portrait into the whole picture."""

    def __init__(self, image: Pixels, box: Square) -> None:
        """Take the whole picture, RGB `[H, W, 3]`, and the face crop's place in it, px."""
        self._picture = _fit(image)
        scale = min(1.0, MAX_SIDE / max(image.shape[:2]))
        self._left, self._top, side = (round(scale * length) for length in box)
        self._side = max(side, 1)
        height, width = self._picture.shape[:2]
        # The crop may reach beyond the picture: what lies outside is not shown.
        rows = slice(max(self._top, 0), min(self._top + self._side, height))
        columns = slice(max(self._left, 0), min(self._left + self._side, width))
        self._square = rows, columns
        self._visible = _moved(rows, -self._top), _moved(columns, -self._left)
        x, y = np.meshgrid(np.arange(self._side), np.arange(self._side))
        self._places = np.stack([self._left + x, self._top + y], axis=-1).astype(np.float32)
        self._liveliness = _liveliness() * np.float32(self._side / CROP_SIZE)

    @property
    def size(self) -> tuple[int, int]:
        """The frames' width and height, px; both even, as H.264 wants them."""
        height, width = self._picture.shape[:2]
        return width, height

    def place(self, landmarks: Map) -> Map:
        """Return landmarks `[..., 79, 2]`, px of the crop, in px of the frames."""
        return Square(self._left, self._top, self._side).to_picture(landmarks, CROP_SIZE)

    def compose(self, rendering: Rendering) -> Pixels:
        """Return `[B, H, W, 3]` RGB frames; around the crop they are the picture itself."""
        frames = np.repeat(self._picture[None], len(rendering.flow), axis=0)
        layers = [_enlarged(layer, self._side) for layer in rendering.layers]
        for frame, flow in zip(frames, _maps(rendering.flow), strict=True):
            face = self._face(flow, [next(layer) for layer in layers])
            frame[self._square] = face[self._visible]
        return frames

    def _face(self, flow: Map, paints: Sequence[Paint]) -> Pixels:
        """Return the crop's square `[S, S, 3]` under a flow `[64, 64, 2]`, px of the crop."""
        places = cv2.resize(flow * self._liveliness, (self._side, self._side)) + self._places
        for paint in paints:
            places[paint.window] += paint.shift
        face: Pixels = cv2.remap(  # type: ignore[call-overload]  # the stub denies its None
            self._picture, places, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
        )
        for paint in paints:
            face[paint.window] = paint.over(face[paint.window])
        return face


def _fit(image: Pixels) -> Pixels:
    """Return `[H, W, 3]` with even sides, at most `MAX_SIDE` px long."""
    height, width = image.shape[:2]
    scale = MAX_SIDE / max(height, width)
    if scale >= 1:
        return image[: height // 2 * 2, : width // 2 * 2]
    size = (max(2, 2 * round(scale * length / 2)) for length in (width, height))
    return np.asarray(Image.fromarray(image).resize(tuple(size), Image.Resampling.LANCZOS))


def _moved(part: slice, steps: int) -> slice:
    return slice(part.start + steps, part.stop + steps)


def _liveliness() -> Map:
    """Return `[64, 64, 1]` weights of the motion: 0 on the crop's edge, 1 from `RIM` px inside."""
    node = np.arange(CROP_SIZE // FLOW_STRIDE)
    depth = np.minimum(node, node[::-1]) * (FLOW_STRIDE / RIM)
    ramp = np.clip(depth, 0, 1)
    ramp = ramp**2 * (3 - 2 * ramp)
    return (ramp[:, None] * ramp)[..., None].astype(np.float32)


def _enlarged(layer: Layer, side: int) -> Iterator[Paint]:
    """Yield a painter's layer frame by frame, enlarged to a crop of `side` px."""
    magnification = side / CROP_SIZE
    shifts = _maps(layer.shift * magnification)
    colours = _maps(torch.cat([layer.colour, layer.opacity], dim=1))
    for (x, y), shift, colour in zip(layer.origin.tolist(), shifts, colours, strict=True):
        height, width = shift.shape[:2]
        left, top = floor(x * magnification), floor(y * magnification)
        right, bottom = ceil((x + width) * magnification), ceil((y + height) * magnification)
        # From the enlarged window's pixels to the layer's; both count from centre to centre.
        back = np.array(
            [
                [1 / magnification, 0, (left + 0.5) / magnification - 0.5 - x],
                [0, 1 / magnification, (top + 0.5) / magnification - 0.5 - y],
            ]
        )
        size, how = (right - left, bottom - top), cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        yield Paint(
            (slice(top, bottom), slice(left, right)),
            np.asarray(cv2.warpAffine(shift, back, size, flags=how)),
            np.asarray(cv2.warpAffine(colour, back, size, flags=how)),
        )


def _maps(tensor: Tensor) -> Map:
    """Return `[B, C, h, w]` as `[B, h, w, C]` in ordinary memory."""
    return np.ascontiguousarray(tensor.float().permute(0, 2, 3, 1).cpu().numpy())
