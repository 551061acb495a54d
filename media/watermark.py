"""The visible watermark: an AI badge in a corner of the video."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

TEXT = "AI"
SMALLEST = 8
"""Minimum height of a badge in pixels, to which the term below is added."""
SHARE = 0.036
"""Growth of the badge's height with the frames' shorter side."""
MARGIN = 0.5
"""Distance between the badge and the frames' edges, in heights of the badge."""
_DRAWN_LARGER = 8
_PLATE, _RIM, _LETTERS = (0, 0, 0, 176), (255, 255, 255, 150), (255, 255, 255, 255)

Pixels = NDArray[np.uint8]
Points = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Watermark:
    """A badge at its position, the same in every frame.

    badge: `[h, w, 4]` RGB and opacity, 0-255.
    left, top: position of the badge in the frames, px.
    """

    badge: Pixels
    left: int
    top: int

    @classmethod
    def beside(cls, landmarks: Points, size: tuple[int, int]) -> Self:
        """Return the watermark of a video: at the bottom right, or in another corner away from the
        face.

        Args:
            landmarks: `[T, 79, 2]`, of all frames, px.
            size: the frames' width and height, px.
        """
        badge = _draw(SMALLEST + round(SHARE * min(size)))
        height, width = badge.shape[:2]
        margin = round(MARGIN * height)
        right, bottom = size[0] - width - margin, size[1] - height - margin
        corners = [(right, bottom), (margin, bottom), (right, margin), (margin, margin)]
        middles = [(left + width / 2, top + height / 2) for left, top in corners]
        # Of two corners at the same distance, the first one is used.
        rooms = [_room(landmarks, middle) for middle in middles]
        clear = [room > width for room in rooms]
        best = clear.index(True) if any(clear) else int(np.argmax(rooms))
        return cls(badge, *corners[best])

    def draw(self, frames: Pixels) -> None:
        """Draw the badge on frames `[B, H, W, 3]`, in place; no pixel outside it changes."""
        height, width = self.badge.shape[:2]
        under = frames[:, self.top : self.top + height, self.left : self.left + width]
        opacity = self.badge[..., 3:] / np.float32(255)
        mixed = under * (1 - opacity) + self.badge[..., :3] * opacity
        under[...] = np.rint(mixed)

    def over(self, batches: Iterable[Pixels]) -> Iterator[Pixels]:
        """Yield each batch of frames `[B, H, W, 3]` with the badge, drawn in place."""
        for frames in batches:
            self.draw(frames)
            yield frames


def _room(landmarks: Points, middle: tuple[float, float]) -> float:
    """Return a position's distance from the box around the landmarks of all frames, px."""
    points = landmarks.reshape(-1, 2)
    beyond = np.maximum(points.min(axis=0) - middle, middle - points.max(axis=0))
    return float(np.hypot(*np.maximum(beyond, 0)))


def _draw(height: int) -> Pixels:
    """Return a badge `[h, w, 4]`: light letters on a dark plate, readable on any background."""
    tall = height * _DRAWN_LARGER
    wide = round(1.5 * height) * _DRAWN_LARGER
    picture = Image.new("RGBA", (wide, tall))
    canvas = ImageDraw.Draw(picture)
    plate, rim = (0, 0, wide - 1, tall - 1), max(_DRAWN_LARGER, tall // 20)
    canvas.rounded_rectangle(plate, tall / 4, fill=_PLATE, outline=_RIM, width=rim)
    font = ImageFont.load_default(0.74 * tall)
    left, top, right, bottom = canvas.textbbox((0, 0), TEXT, font, stroke_width=tall // 50)
    place = (wide - left - right) / 2, (tall - top - bottom) / 2
    canvas.text(place, TEXT, _LETTERS, font, stroke_width=tall // 50)
    small = picture.resize((wide // _DRAWN_LARGER, height), Image.Resampling.BOX)
    return np.asarray(small)
