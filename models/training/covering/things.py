"""Pictures of faces with things drawn over them: masks, microphones, fingers, dark glasses."""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from media.faces.landmarks import LEFT_EYE, MOUTH, OUTER_LIPS, RIGHT_EYE, interocular

COVERED, UNCOVERED = 0.5, 0.12
"""Share of a part under the thing from which it counts as covered, and up to which it does not."""
UNSURE = -1.0
"""The label of what lies between."""

Face: TypeAlias = NDArray[np.float32]
Draw: TypeAlias = Callable[[ImageDraw.ImageDraw, Face, np.random.Generator], NDArray[np.float64]]

_FABRICS = (
    *((150, 200, 220), (240, 240, 240), (20, 20, 25), (90, 140, 200), (200, 60, 70)),
    *((60, 120, 80), (230, 190, 200), (60, 60, 110)),
)


def draw_thing(
    picture: Image.Image, face: Face, other: Image.Image, rng: np.random.Generator
) -> tuple[Image.Image, tuple[float, float]]:
    """Draw a random thing on an upright face `[79, 2]`, px.

    Returns:
        The picture, and the labels of mouth and eyes: 1 covered, 0 not, UNSURE.
    """
    mask = Image.new("L", picture.size, 0)
    draw = _THINGS[rng.integers(len(_THINGS))]
    colour = draw(ImageDraw.Draw(mask), face, rng)
    soft = mask.filter(ImageFilter.GaussianBlur(rng.uniform(0.2, 0.9)))
    if rng.random() < 0.25 and draw is not _glasses:
        fill = other.resize(picture.size)
    else:
        fill = Image.fromarray(_texture(picture.size, colour, rng))
    covered = np.asarray(mask) > 127
    mouth = _share(covered, [face[OUTER_LIPS]])
    eyes = _share(covered, [face[LEFT_EYE], face[RIGHT_EYE]])
    return Image.composite(fill, picture, soft), (_label(mouth), _label(eyes))


def draw_rims(picture: Image.Image, face: Face, rng: np.random.Generator) -> Image.Image:
    """Draw glasses that do not hide the eyes."""
    picture = picture.copy()
    draw = ImageDraw.Draw(picture)
    width = max(1, round(float(interocular(face)) * rng.uniform(0.02, 0.09)))
    colour = tuple(int(c) for c in rng.integers(0, 120, 3))
    for box in _lenses(face, rng):
        draw.rounded_rectangle(box, radius=(box[3] - box[1]) * 0.4, outline=colour, width=width)
    return picture


def _mask(draw: ImageDraw.ImageDraw, face: Face, rng: np.random.Generator) -> NDArray[np.float64]:
    top = face[27] + (face[30] - face[27]) * rng.uniform(0.3, 1.0)
    chin = face[8] + (face[8] - face[30]) * rng.uniform(-0.05, 0.3)
    side = int(rng.integers(1, 4))
    points = [face[side], top, face[16 - side], face[12], face[10], chin, face[6], face[4]]
    draw.polygon([tuple(map(float, p)) for p in points], fill=255)
    return _fabric(rng)


def _microphone(
    draw: ImageDraw.ImageDraw, face: Face, rng: np.random.Generator
) -> NDArray[np.float64]:
    unit = float(interocular(face))
    radius = unit * rng.uniform(0.22, 0.55)
    centre = face[MOUTH].mean(0) + rng.uniform((-0.5, -0.3), (0.5, 0.9)) * unit
    foot = centre + np.array([rng.uniform(-1.5, 1.5), 4]) * unit
    _disc(draw, centre, radius)
    grip = max(1, round(radius * rng.uniform(0.7, 1.4)))
    draw.line([*map(float, centre), *map(float, foot)], fill=255, width=grip)
    return rng.uniform(5, 90) * np.ones(3) if rng.random() < 0.7 else rng.uniform(0, 255, 3)


def _fingers(
    draw: ImageDraw.ImageDraw, face: Face, rng: np.random.Generator
) -> NDArray[np.float64]:
    unit = float(interocular(face))
    place = (
        face[MOUTH] if rng.random() < 0.75 else face[LEFT_EYE if rng.random() < 0.5 else RIGHT_EYE]
    )
    count, width = int(rng.integers(1, 6)), unit * rng.uniform(0.18, 0.32)
    along = rng.uniform((-1, 0.2), (1, 1))
    along = along / np.linalg.norm(along)
    across = np.array([along[1], -along[0]])
    first = place.mean(0) + rng.uniform(-0.3, 0.3, 2) * unit - along * 0.4 * unit
    for step in np.arange(count) - (count - 1) / 2:
        tip = first + across * step * width + along * rng.uniform(-0.15, 0.15) * unit
        end = tip + along * 2.5 * unit
        _disc(draw, tip, width * 0.48)
        draw.line([*map(float, tip), *map(float, end)], fill=255, width=round(width * 0.97))
    tone = rng.uniform(0.25, 1.0)
    return np.array([235, 185, 160]) * tone + rng.uniform(-15, 15, 3)


def _glasses(
    draw: ImageDraw.ImageDraw, face: Face, rng: np.random.Generator
) -> NDArray[np.float64]:
    round_ = rng.uniform(0.15, 1)
    for box in _lenses(face, rng):
        draw.rounded_rectangle(box, radius=(box[3] - box[1]) / 2 * round_, fill=255)
    bridge = [*map(float, face[LEFT_EYE].mean(0)), *map(float, face[RIGHT_EYE].mean(0))]
    draw.line(bridge, fill=255, width=max(1, round(float(interocular(face)) * 0.06)))
    return rng.uniform(3, 70) * np.ones(3) + rng.uniform(0, 25, 3)


def _anything(
    draw: ImageDraw.ImageDraw, face: Face, rng: np.random.Generator
) -> NDArray[np.float64]:
    unit = float(interocular(face))
    centre = face[:68].mean(0) + rng.uniform(-1.3, 1.3, 2) * unit
    angles = np.sort(rng.uniform(0, 2 * np.pi, 7))
    reach = rng.uniform(0.25, 1.0, 7) * unit
    points = centre + np.stack([np.cos(angles), np.sin(angles)], axis=1) * reach[:, None]
    draw.polygon([tuple(map(float, p)) for p in points], fill=255)
    return _fabric(rng)


_THINGS: tuple[Draw, ...] = (_mask, _microphone, _fingers, _glasses, _anything)


def _lenses(face: Face, rng: np.random.Generator) -> list[tuple[float, float, float, float]]:
    unit = float(interocular(face))
    wide, high = rng.uniform((0.3, 0.2), (0.48, 0.42)) * unit
    lower = rng.uniform(-0.05, 0.12) * unit
    boxes = []
    for eye in (face[LEFT_EYE].mean(0), face[RIGHT_EYE].mean(0)):
        x, y = float(eye[0]), float(eye[1]) + lower
        boxes.append((x - wide, y - high, x + wide, y + high))
    return boxes


def _disc(draw: ImageDraw.ImageDraw, centre: NDArray[np.floating], radius: float) -> None:
    x, y = map(float, centre)
    draw.ellipse([x - radius, y - radius, x + radius, y + radius], fill=255)


def _fabric(rng: np.random.Generator) -> NDArray[np.float64]:
    if rng.random() < 0.6:
        return np.array(_FABRICS[rng.integers(len(_FABRICS))], float) + rng.uniform(-20, 20, 3)
    return rng.uniform(0, 255, 3)


def _texture(
    size: tuple[int, int], colour: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Return `[H, W, 3]`: the colour with stripes, a gradient and grain."""
    width, height = size
    y, x = np.mgrid[:height, :width] / max(size)
    angle, waves = rng.uniform(0, np.pi), rng.uniform(4, 60)
    stripes = np.sin(2 * np.pi * waves * (x * np.cos(angle) + y * np.sin(angle)))
    shade = rng.choice([0, 6, 18]) * stripes + rng.uniform(-80, 80) * x + rng.uniform(-80, 80) * y
    grain = rng.normal(0, rng.uniform(0, 12), (height, width))
    pixels = colour + (shade - shade.mean() + grain)[..., None]
    return np.asarray(pixels.clip(0, 255).astype(np.uint8))


def _share(covered: NDArray[np.bool_], parts: list[Face]) -> float:
    """Return the largest share of a part, given by its outline, that is covered."""
    shares = []
    for outline in parts:
        shape = Image.new("1", covered.shape[::-1])
        ImageDraw.Draw(shape).polygon([tuple(map(float, p)) for p in outline], fill=1, outline=1)
        shares.append(float(covered[np.asarray(shape)].mean()))
    return max(shares)


def _label(share: float) -> float:
    return 1.0 if share >= COVERED else 0.0 if share <= UNCOVERED else UNSURE
