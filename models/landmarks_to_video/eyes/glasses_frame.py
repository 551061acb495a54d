"""Finds the frame of glasses by its lines: a bridge across the nose, arms to the temples and rims
around the eyes. Where all are strong, there are glasses.

Paths along lines are found by dynamic programming (Amini, Weymouth and Jain, "Using Dynamic
Programming for Solving Variational Problems in Vision", TPAMI 1990).
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from media.faces.landmarks import CROP_SIZE, LEFT_EYE, RIGHT_EYE

Pixels = NDArray[np.uint8]
Map = NDArray[np.float32]
Path = NDArray[np.intp]

WIDTH, HEIGHT = 176, 128
"""Size of the upright picture in which a frame is looked for, px."""
EYES = np.array([(58, 60), (118, 60)], np.float32)
"""Where the eyes' centres lie in it, the viewer's left one first."""
CHEEKS = slice(76, 101), slice(40, 136)
"""Rows and columns of it that show skin below the eyes."""
FACE = slice(36, 128), slice(30, 146)
"""Rows and columns of it whose contrast is the unit of lines' strengths."""
BRIDGE = slice(48, 83), slice(78, 99)
"""Rows and columns of it through which the bridge runs from side to side."""
ARMS = (slice(38, 83), slice(4, 28)), (slice(38, 83), slice(149, 173))
"""Rows and columns of it through which the arms run."""
BELOW_EYE = 4
"""Px from an eye's centre down to that of a rim."""
INNER, OUTER, NASAL = (17, 12), (40, 33), 27
"""Px from there to a rim, across and down: at least, and at most; and at most towards the nose."""
RAYS = 144
"""Directions from there in which a rim is looked for."""
SHADE = 0.3
"""Share of the skin's brightness that is added to all, so that lines in the dark count little."""
THIN, WIDE = 1.2, 2.2
"""Standard deviations of the Gaussians whose second derivatives respond to lines, px."""
REACH = 8
"""Px to either side that these filters see."""
BEND = 0.2
"""What a path loses with each step aside."""
WEAKEST = 25
"""Percentile of the strength along a path that counts as the line's: a frame has no gaps."""
SURE = 0.4
"""Strength of a frame from which on it is one."""


@dataclass(frozen=True, eq=False)
class Frame:
    """The frame of glasses, if it is one.

    strength: geometric mean of bridge, arms and rims, 0 or more, in units of the face's contrast.
    lines: `[K, 2]` px of a 256 px crop each: the bridge, two arms and two rims, closed.
    """

    strength: float
    lines: tuple[Map, ...]


@dataclass(frozen=True, eq=False)
class _Line:
    """Points `[K, 2]` in the upright picture, and how strong the line through them is."""

    strength: float
    points: Map

    def led_on(self, *, start: "_Line | None" = None, end: "_Line | None" = None) -> Map:
        """Return its points, led on to the nearest ones of the lines at its start and its end."""
        points = [self.points]
        if start:
            points.insert(0, start._nearest(self.points[0]))
        if end:
            points.append(end._nearest(self.points[-1]))
        return np.concatenate(points)

    def _nearest(self, place: Map) -> Map:
        return self.points[[np.linalg.norm(self.points - place, axis=1).argmin()]]


def find_frame(crop: Pixels, landmarks: Map) -> Frame:
    """Look for glasses in a portrait crop `[S, S, 3]` with landmarks `[79, 2]`, px of 256."""
    there = _upright(landmarks)
    small = cv2.resize(crop, (CROP_SIZE, CROP_SIZE), interpolation=cv2.INTER_AREA)
    how = cv2.BORDER_REPLICATE
    picture = np.asarray(cv2.warpAffine(small, there, (WIDTH, HEIGHT), borderMode=how), np.uint8)
    light = _standardized(picture)
    bridge, *arms = (_across(light, *place) for place in (BRIDGE, *ARMS))
    rims = [_rim(light, eye) for eye in (0, 1)]
    parts = ([bridge], arms, rims)
    strengths = [np.mean([line.strength for line in part]) for part in parts]
    lines = (
        bridge.led_on(start=rims[0], end=rims[1]),
        arms[0].led_on(end=rims[0]),
        arms[1].led_on(start=rims[1]),
        *(rim.points for rim in rims),
    )
    back = cv2.invertAffineTransform(there)
    placed = (np.asarray(cv2.transform(line[None], back)[0], np.float32) for line in lines)
    return Frame(float(np.prod(strengths) ** (1 / len(parts))), tuple(placed))


def _upright(landmarks: Map) -> NDArray[np.float64]:
    """Return the similarity `[2, 3]` from a crop to the upright picture."""
    eyes = np.stack([landmarks[eye].mean(axis=0) for eye in (LEFT_EYE, RIGHT_EYE)])
    middle, (x, y) = eyes.mean(axis=0), eyes[1] - eyes[0]
    # Turns the way between the eyes into that between EYES.
    scale = (EYES[1, 0] - EYES[0, 0]) / max(x * x + y * y, 1.0)
    turn = scale * np.array([(x, y), (-y, x)], np.float64)
    return np.column_stack([turn, EYES.mean(axis=0) - turn @ middle])


def _standardized(picture: Pixels) -> Map:
    """Return the logarithm of a picture's brightness `[h, w, 3]` in units of its spread."""
    skin = max(float(np.median(picture[CHEEKS].reshape(-1, 3), axis=0).mean()), 1.0)
    light = np.log(picture.astype(np.float32) + np.float32(SHADE * skin))
    return np.asarray(light / max(light[FACE].std(), 0.01), np.float32)


def _across(light: Map, rows: slice, columns: slice) -> _Line:
    """Return the strongest line from side to side of a part of the picture."""
    within = slice(rows.start - REACH, rows.stop + REACH)
    # A path runs down the rows; lines across become lines down.
    turned = np.ascontiguousarray(light[within, columns].transpose(1, 0, 2))
    across = np.arange(columns.start, columns.stop)
    found = []
    for strength in _lines(turned)[:, :, REACH:-REACH]:
        path = _path(strength)
        points = np.stack([across, path + rows.start], axis=1).astype(np.float32)
        found.append(_Line(_weakest(strength, path), points))
    return max(found, key=lambda line: line.strength)


def _weakest(strength: Map, path: Path) -> float:
    """Return the strength `WEAKEST` of a path `[h]` down a map `[h, w]`."""
    return max(0.0, float(np.percentile(strength[np.arange(len(path)), path], WEAKEST)))


def _rim(light: Map, eye: int) -> _Line:
    """Return the strongest closed line around an eye."""
    centre = EYES[eye] + (0, BELOW_EYE)
    size = OUTER[0] + REACH
    centre_x, centre_y = (float(c) for c in centre)
    polar = np.asarray(
        cv2.warpPolar(light, (size, RAYS), (centre_x, centre_y), size, cv2.INTER_LINEAR), np.float32
    )
    angle = np.arange(RAYS) * (2 * np.pi / RAYS)
    ways = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    places = np.arange(size)[:, None] * ways[:, None]
    nearer, farther = (np.hypot(*(places / axes).transpose(2, 0, 1)) for axes in (INNER, OUTER))
    rim = (nearer >= 1) & (farther <= 1) & (places[..., 0] * (1 - 2 * eye) <= NASAL)
    strength = np.where(rim, _lines(polar).max(axis=0), -1)
    # Two turns; from the middle of the one to the middle of the other the path is closed.
    twice = _path(np.concatenate([strength, strength]))
    half = RAYS // 2
    path = np.concatenate([twice[RAYS : RAYS + half], twice[half:RAYS]])
    points = (centre + path[:, None] * ways).astype(np.float32)
    return _Line(_weakest(strength, path), np.concatenate([points, points[:1]]))


def _lines(light: Map) -> Map:
    """Return how strong lines down a picture `[h, w, 3]` are, `[2, h, w]`: dark and bright ones."""
    place = np.arange(-REACH, REACH + 1)
    signed = []
    for width in (THIN, WIDE):
        kernel = (place**2 / width**2 - 1) * np.exp(-(place**2) / (2 * width**2))
        kernel -= kernel.mean()
        kernel /= np.abs(kernel).sum() / 2
        signed.append(cv2.filter2D(light, -1, kernel[None], borderType=cv2.BORDER_REPLICATE))
    response = np.concatenate(signed, axis=2)
    return np.stack([response.max(axis=2), (-response).max(axis=2)]).clip(0)


def _path(strength: Map) -> Path:
    """Return the strongest path `[h]` down a map `[h, w]`: the column in each row."""
    options = np.full((3, strength.shape[1]), -np.inf, np.float32)
    best, steps = strength[0], []
    for row in strength[1:]:
        options[0, 1:], options[1], options[2, :-1] = best[:-1] - BEND, best, best[1:] - BEND
        steps.append(options.argmax(axis=0) - 1)
        best = row + options.max(axis=0)
    path = [int(best.argmax())]
    for step in reversed(steps):
        path.append(path[-1] + int(step[path[-1]]))
    return np.array(path[::-1])
