from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from media.watermark import Watermark
from tests.media import face_landmarks

Pixels = NDArray[np.uint8]
SIZES = [(256, 256), (1920, 1080), (1080, 1920)]


def face(x: float, y: float, interocular: float) -> NDArray[np.float32]:
    """Return the landmarks `[2, 79, 2]` of a nodding head."""
    return np.stack([face_landmarks(x, y, interocular, pitch=pitch) for pitch in (-3, 3)])


def centred(size: tuple[int, int]) -> NDArray[np.float32]:
    return face(size[0] / 2, 0.45 * size[1], 0.25 * min(size))


def noise(size: tuple[int, int], frames: int = 2) -> Pixels:
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (frames, size[1], size[0], 3), dtype=np.uint8)


def marked(mark: Watermark, frames: Pixels) -> Pixels:
    shown = frames.copy()
    mark.draw(shown)
    return shown


def changed(mark: Watermark, frames: Pixels) -> tuple[slice, slice]:
    """Return the smallest window that contains all pixels changed by the mark."""
    rows, columns = np.nonzero((marked(mark, frames) != frames).any(axis=(0, 3)))
    return slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1)


@pytest.mark.parametrize("size", SIZES)
def test_the_watermark_only_changes_pixels_in_its_corner(size: tuple[int, int]) -> None:
    rows, columns = changed(Watermark.beside(centred(size), size), noise(size))
    width, height = size
    assert rows.start > 0.75 * height
    assert columns.start > 0.6 * width
    assert rows.stop < height
    assert columns.stop < width
    assert (rows.stop - rows.start) * (columns.stop - columns.start) < 0.07 * width * height


@pytest.mark.parametrize("size", [(256, 256), (1920, 1080)])
def test_the_mark_is_small(size: tuple[int, int]) -> None:
    badge = Watermark.beside(centred(size), size).badge
    assert badge.shape[0] * badge.shape[1] < 0.01 * size[0] * size[1]


def test_the_mark_grows_with_the_frames() -> None:
    heights = [
        Watermark.beside(centred((s, s)), (s, s)).badge.shape[0] for s in (256, 512, 1080, 1920)
    ]
    assert heights[0] >= 16
    assert all(smaller < larger for smaller, larger in pairwise(heights))


@pytest.mark.parametrize("level", [0, 90, 128, 200, 255])
def test_the_letters_stand_out_on_any_ground(level: int) -> None:
    size = (256, 256)
    mark = Watermark.beside(centred(size), size)
    shown = marked(mark, np.full((1, 256, 256, 3), level, np.uint8))[0]
    height, width = mark.badge.shape[:2]
    badge = shown[mark.top : mark.top + height, mark.left : mark.left + width].astype(int)
    plate, letters = np.percentile(badge, 25), badge.max()
    assert letters == 255
    # WCAG requires a contrast of 4.5 between text and background.
    luminance = [((v / 255 + 0.055) / 1.055) ** 2.4 if v > 10 else 0.0 for v in (letters, plate)]
    assert (luminance[0] + 0.05) / (luminance[1] + 0.05) > 4.5
    assert badge.min() < level or badge.max() > level


@pytest.mark.parametrize("x", [0.2, 0.8])
@pytest.mark.parametrize("y", [0.25, 0.75])
def test_the_watermark_avoids_a_face_in_a_corner(x: float, y: float) -> None:
    size = (1920, 1080)
    landmarks = face(x * 1920, y * 1080, 150)
    rows, columns = changed(Watermark.beside(landmarks, size), noise(size))
    across, down = landmarks.reshape(-1, 2).T
    is_beside = columns.start > across.max() or columns.stop < across.min()
    is_above_or_below = rows.start > down.max() or rows.stop < down.min()
    assert is_beside or is_above_or_below


def test_a_face_that_fills_the_picture_keeps_its_eyes_and_its_mouth() -> None:
    size = (256, 256)
    landmarks = face(128, 110, 110)
    rows, columns = changed(Watermark.beside(landmarks, size), noise(size))
    features = landmarks[:, 36:68].reshape(-1, 2)
    inside = (
        (features[:, 0] >= columns.start)
        & (features[:, 0] < columns.stop)
        & (features[:, 1] >= rows.start)
        & (features[:, 1] < rows.stop)
    )
    assert not inside.any()


def test_the_mark_is_the_same_in_every_frame() -> None:
    size = (256, 256)
    mark = Watermark.beside(centred(size), size)
    frames = np.full((5, 256, 256, 3), 70, np.uint8)
    batches = list(mark.over([frames[:3], frames[3:]]))
    assert [len(batch) for batch in batches] == [3, 2]
    shown = np.concatenate(batches)
    assert (shown == shown[0]).all()
    assert shown.max() == 255
