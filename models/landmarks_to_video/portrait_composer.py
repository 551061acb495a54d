"""The moving face within its portrait, at the portrait's own resolution.

    the picture's own pixels ──► moved by the crop's flow, enlarged ──► face ──► into the picture
                                                                         ▲
    what the painters made, a layer over the crop ──► enlarged ──────────┘ laid over

Only what no warp can reveal, teeth and lids, is as coarse as the crop. Towards the crop's edge and
the picture's own the motion dies away, so that the face meets the picture without a seam and
nothing is read from beyond it. Of a crop that leans with the head, the flow and the layers are
turned back; the picture's own pixels are never turned.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil, sqrt
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from media.faces.landmarks import CROP_SIZE
from media.geometry import Square, crop_square, rotation
from models.landmarks_to_video.frame_drawing import Layer, Map, Paint, Pixels, Rendering, maps
from models.landmarks_to_video.warping import FLOW_STRIDE

MAX_SIDE = 1920
"""Maximum of a composed frame's longer side in pixels; larger pictures are scaled down."""
MAX_MACROBLOCKS = 8704
"""Blocks of 16 x 16 pixels in a frame that players of H.264 level 4.2 can decode (ITU-T H.264,
table A-1).
"""
RIM = 24
"""Pixels of the crop over which the motion fades out towards its edge."""
PICTURE_RIM = 12
"""Pixels of the crop over which the motion fades out towards the picture's edge."""
MARGIN = 1 / 16
"""How far a close-up can read beyond its frame, in multiples of its side."""


@dataclass(frozen=True)
class Canvas:
    """The pixels that a composer reads, and the part of them that its frames show.

    pixels: RGB `[H, W, 3]`.
    box: the face crop's place in them.
    own: left, top, right and bottom of the picture's own pixels; what lies beyond repeats them.
    margin: pixels on each side that are read and not shown.
    """

    pixels: Pixels
    box: Square
    own: tuple[float, float, float, float]
    margin: int = 0

    @classmethod
    def whole(cls, image: Pixels, box: Square) -> Self:
        """Return a whole picture `[H, W, 3]`, scaled down if it is larger than a video can be."""
        scale = _scale(*image.shape[:2])
        left, top, side = (round(scale * length) for length in box[:3])
        pixels = _fit(image)
        height, width = pixels.shape[:2]
        return cls(pixels, Square(left, top, max(side, 1), box.angle), (0, 0, width, height))

    @classmethod
    def close_up(cls, image: Pixels, box: Square, view: Square, size: int) -> Self:
        """Return an upright square of a picture, `view`, at `size` x `size` px."""
        margin = round(MARGIN * size)
        around = Square.around(*view.centre, view.side * (1 + 2 * margin / size))
        wide = size + 2 * margin
        corners = np.array([box.centre, (0, 0), image.shape[1::-1]], np.float32)
        (x, y), start, end = around.to_window(corners, wide)
        placed = Square.around(x, y, box.side * wide / around.side, box.angle)
        return cls(crop_square(image, around, wide), placed, (*start, *end), margin)

    @property
    def shown(self) -> tuple[slice, slice]:
        """The rows and columns of the pixels that are shown."""
        height, width = self.pixels.shape[:2]
        return slice(self.margin, height - self.margin), slice(self.margin, width - self.margin)


class Composer:
    """Lays the moving face of one portrait into its picture, or a close-up of that."""

    def __init__(self, canvas: Canvas) -> None:
        """Prepare the pixels that are read and shown."""
        self._canvas = canvas
        self._picture = canvas.pixels[canvas.shown]
        box = canvas.box
        self._turn = rotation(box.angle).astype(np.float32) if box.angle else None
        # The crop may extend beyond the frame: what lies outside is neither shown nor computed.
        rows, columns = (
            _clipped(span, shown)
            for span, shown in zip(_bounds(box.to_picture(_CORNERS, 1)), canvas.shown, strict=True)
        )
        self._rows, self._columns = rows, columns
        x, y = np.meshgrid(np.arange(columns.start, columns.stop), np.arange(rows.start, rows.stop))
        self._places = np.stack([x, y], axis=-1).astype(np.float32)
        self._mobility = _mobility(canvas) * np.float32(box.side / CROP_SIZE)

    @property
    def size(self) -> tuple[int, int]:
        """The frames' width and height, px; both even, as H.264 requires."""
        height, width = self._picture.shape[:2]
        return width, height

    @property
    def crop_side(self) -> float:
        """Side of the face crop in the frames, px."""
        return self._canvas.box.side

    def place(self, landmarks: Map) -> Map:
        """Return landmarks `[..., 79, 2]` in crop units in px of the frames."""
        return self._canvas.box.to_picture(landmarks, CROP_SIZE) - np.float32(self._canvas.margin)

    def locate(self, landmarks: Map) -> Map:
        """Return landmarks `[..., 79, 2]` in px of the frames in crop units."""
        return self._canvas.box.to_window(landmarks + np.float32(self._canvas.margin), CROP_SIZE)

    def compose(self, rendering: Rendering) -> Pixels:
        """Return `[B, H, W, 3]` RGB frames; outside the crop, they are the picture itself."""
        frames = np.repeat(self._picture[None], len(rendering.flow), axis=0)
        margin, detail = self._canvas.margin, rendering.scale
        rows, columns = _moved(self._rows, -margin), _moved(self._columns, -margin)
        layers = [self._enlarged(layer, detail) for layer in rendering.layers]
        for frame, flow in zip(frames, maps(rendering.flow), strict=True):
            frame[rows, columns] = self._face(flow, [next(layer) for layer in layers])
        return frames

    def _face(self, flow: Map, paints: Sequence[Paint]) -> Pixels:
        """Return the region of the crop `[h, w, 3]` under a flow `[64, 64, 2]`, crop units."""
        places = self._spread(self._turned(flow * self._mobility)) + self._places
        for paint in paints:
            places[paint.window] += paint.shift
        face: Pixels = cv2.remap(  # type: ignore[call-overload]  # the stub denies its None
            self._canvas.pixels, places, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
        )
        for paint in paints:
            face[paint.window] = paint.over(face[paint.window])
        return face

    def _spread(self, flow: Map) -> Map:
        """Return a flow `[64, 64, 2]` over the region, `[h, w, 2]`."""
        box = self._canvas.box
        side = max(1, round(box.side))
        enlarged = np.asarray(cv2.resize(flow, (side, side)), np.float32)
        if self._turn is None and box[:3] == (round(box.left), round(box.top), side):
            rows, columns = _moved(self._rows, -int(box.top)), _moved(self._columns, -int(box.left))
            return enlarged[rows, columns]
        return self._laid(enlarged, (self._rows, self._columns), (0, 0), side / CROP_SIZE)

    def _turned(self, vectors: Map) -> Map:
        """Return vectors `[h, w, 2]` of the crop as they point in the picture."""
        if self._turn is None:
            return vectors
        return np.asarray(cv2.transform(vectors, self._turn), np.float32)

    def _enlarged(self, layer: Layer, detail: float) -> Iterator[Paint]:
        """Yield a painter's layer frame by frame, enlarged and turned as the crop is."""
        shifts = maps(layer.shift * (self._canvas.box.side / CROP_SIZE))
        colours = maps(layer.colour, layer.opacity)
        for origin, shift, colour in zip(layer.origin.tolist(), shifts, colours, strict=True):
            height, width = (length / detail for length in shift.shape[:2])
            corners = self._canvas.box.to_picture(_CORNERS * (width, height) + origin, CROP_SIZE)
            rows, columns = (
                _clipped(span, shown)
                for span, shown in zip(_bounds(corners), (self._rows, self._columns), strict=True)
            )
            yield Paint(
                (_moved(rows, -self._rows.start), _moved(columns, -self._columns.start)),
                self._laid(self._turned(shift), (rows, columns), origin, detail),
                self._laid(colour, (rows, columns), origin, detail),
            )

    def _laid(
        self, map_: Map, place: tuple[slice, slice], origin: Sequence[float], detail: float
    ) -> Map:
        """Lay a map of the crop over a part of the canvas; nothing lies beside the map.

        Args:
            map_: `[h, w, C]` over a part of the crop.
            place: rows and columns of the canvas.
            origin: left and top of that part of the crop, crop units.
            detail: pixels of the map in a crop unit.
        """
        rows, columns = place
        width, height = columns.stop - columns.start, rows.stop - rows.start
        if not (width and height):
            return np.zeros((height, width, map_.shape[2]), np.float32)
        # From the place's pixels to the map's; both count from centre to centre.
        ticks = np.array([(0, 0), (width, 0), (0, height)]) + (columns.start, rows.start) + 0.5
        window = self._canvas.box.to_window(ticks.astype(np.float32), CROP_SIZE).astype(float)
        first, right, below = (window - origin) * detail
        back = np.stack([(right - first) / width, (below - first) / height, first - 0.5], axis=1)
        how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        laid = cv2.warpAffine(map_, back, (width, height), flags=how)
        return np.asarray(laid, np.float32).reshape(height, width, -1)


_CORNERS = np.array([(0, 0), (1, 0), (0, 1), (1, 1)], np.float32)


def _fit(image: Pixels) -> Pixels:
    """Return `[H, W, 3]` with even sides, of a size that a video can have."""
    height, width = image.shape[:2]
    scale = _scale(height, width)
    if scale >= 1:
        return image[: height // 2 * 2, : width // 2 * 2]
    size = (max(2, 2 * round(scale * length / 2)) for length in (width, height))
    return np.asarray(Image.fromarray(image).resize(tuple(size), Image.Resampling.LANCZOS))


def _scale(height: int, width: int) -> float:
    """Return the scale, at most 1, at which a picture is neither too long nor too large."""
    area = MAX_MACROBLOCKS * 16**2
    scale = min(1.0, MAX_SIDE / max(height, width), sqrt(area / (height * width)))
    while ceil(scale * height / 16) * ceil(scale * width / 16) > MAX_MACROBLOCKS:
        scale *= 0.995
    return scale


def _bounds(corners: Map) -> tuple[slice, slice]:
    """Return the rows and columns that hold points `[4, 2]`."""
    (left, top), (right, bottom) = np.floor(corners.min(0)), np.ceil(corners.max(0))
    return slice(int(top), int(bottom)), slice(int(left), int(right))


def _clipped(part: slice, limit: slice) -> slice:
    start, stop = (min(max(end, limit.start), limit.stop) for end in (part.start, part.stop))
    return slice(start, stop)


def _moved(part: slice, steps: int) -> slice:
    return slice(part.start + steps, part.stop + steps)


def _mobility(canvas: Canvas) -> Map:
    """Return `[64, 64, 1]` weights of the motion: 0 on the crop's edge and the picture's own."""
    node = np.arange(CROP_SIZE // FLOW_STRIDE)
    ramp = _smooth_step(np.minimum(node, node[::-1]) * (FLOW_STRIDE / RIM))
    across, down = np.meshgrid(*[(node + 0.5) * FLOW_STRIDE] * 2)
    places = canvas.box.to_picture(np.stack([across, down], axis=-1), CROP_SIZE)
    rim = PICTURE_RIM * canvas.box.side / CROP_SIZE
    inside = np.concatenate([places - canvas.own[:2], canvas.own[2:] - places], axis=-1) / rim
    weights: Map = ramp[:, None] * ramp * _smooth_step(inside).prod(axis=-1)
    return weights[..., None].astype(np.float32)


def _smooth_step(depth: NDArray[np.floating]) -> NDArray[np.floating]:
    """Smoothstep: 0 below 0, 1 above 1."""
    ramp = np.clip(depth, 0, 1)
    return np.asarray(ramp**2 * (3 - 2 * ramp))
