"""Converts landmarks between a face's own size and position and the networks' normal form.

In the normal form, the eyes are level, the point between them is the origin, and one unit is the
distance between the eyes (the inter-ocular distance). A face is `[79, 2]`, x right and y down.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from media.faces.landmarks import (
    BROWS,
    FOREHEAD,
    IRISES,
    JAW,
    LOWER_LIDS,
    UPPER_LIDS,
)
from models.face.landmark_motion import LandmarkMotion
from models.face.limits import (
    CLOSED_GAP,
    MOUTH_HALVES,
    MOUTH_MIDDLE,
    OPEN_EYE,
    SHUT_EYE,
    hold_corners,
    hold_falls,
    hold_lids,
    hold_lip,
    hold_rises,
)
from models.face.resting_face import way_to_rest

Points = NDArray[np.float32]

EYE_CORNERS = (36, 39, 42, 45)
UPPER_INNER, LOWER_INNER = [61, 62, 63], [67, 66, 65]
"""Pairs of inner lip points, one above the other."""
OUTER_OVER_INNER = {49: 61, 50: 61, 51: 62, 52: 63, 53: 63, 55: 65, 56: 65, 57: 66, 58: 67, 59: 67}
"""The inner lip point whose motion each outer one follows."""
CHIN = 8

TYPICAL_MOUTH_WIDTH = 0.79
TYPICAL_FACE_HEIGHT = 1.80
"""Distance between the mouth's corners, and from the eyes to the chin, in inter-ocular units."""
FULLY_SEEN = 1.15
"""How much wider one half of the mouth may be than the other before the head counts as turned."""
BROWS_IN_BLINK = 0.3
"""Share of their rise that brows lose in a blink."""
UPPER_LID_SHARE = 0.65
"""Part of an eye's opening above the line between its corners."""
UPPER_SHARE = 0.15
"""Share of the mouth's opening made by the upper lip; the jaw makes the rest."""

# fmt: off
DEPTH = np.array(
    [-.83, -.79, -.69, -.59, -.44, -.25, -.02, .22, .24,
     .22, -.02, -.25, -.44, -.59, -.69, -.79, -.83,
     -.16, .01, .15, .25, .29, .29, .25, .15, .01, -.16,
     .29, .42, .54, .66, .31, .40, .42, .40, .31,
     -.05, .07, .10, .05, .08, .05, .05, .10, .07, -.05, .05, .08,
     .20, .37, .45, .47, .45, .37, .20, .32, .39, .42, .39, .32,
     .19, .35, .38, .35, .19, .34, .37, .34,
     .08, .08, -.25, -.05, .08, .15, .18, .15, .08, -.05, -.25],
    dtype=np.float32,
)
# fmt: on
"""Depth of each landmark in front of the eyes, in inter-ocular units (ICT-FaceKit's mean face)."""


@dataclass(frozen=True)
class NormalFrame:
    """A face's normal form in the picture: origin in pixels, x axis in pixels per unit."""

    origin: Points
    axis: Points

    def to_normal(self, pixels: Points) -> Points:
        """Convert `[..., 79, 2]` pixels to the normal form."""
        out: Points = (pixels - self.origin) @ np.linalg.inv(self._matrix()).T
        return out.astype(np.float32)

    def to_pixels(self, normal: Points) -> Points:
        """Convert `[..., 79, 2]` from the normal form to pixels."""
        out: Points = normal @ self._matrix().T + self.origin
        return out.astype(np.float32)

    def _matrix(self) -> Points:
        x, y = self.axis
        return np.array([[x, -y], [y, x]])


def normal_frame(face: Points) -> NormalFrame:
    """Return the normal frame of one face `[79, 2]` in pixels."""
    corners = face[list(EYE_CORNERS)]
    left, right = corners[:2].mean(0), corners[2:].mean(0)
    return NormalFrame(origin=(left + right) / 2, axis=right - left)


def normalize_landmarks(landmarks: Points) -> Points:
    """Convert a clip `[T, 79, 2]` in pixels to the normal form of its median face.

    There is one alignment per clip: aligning each frame separately would add tracker jitter.
    """
    return normal_frame(np.median(landmarks, axis=0)).to_normal(landmarks)


def retarget_landmarks(
    portrait: Points, motion: LandmarkMotion, eyes: Literal["open", "as_is"] = "open"
) -> Points:
    """Return the portrait's landmarks `[79, 2]` put in motion: `[T, 79, 2]` float32, in its pixels.

    Motion starts from the portrait's own resting face: what it says or shows is removed first, so
    that an emotion is reached and not added to another.

    Args:
        portrait: in its pixels.
        motion: what to show.
        eyes: whether to open eyes that the portrait caught in a blink, or leave them as they are.
    """
    frame = normal_frame(portrait)
    shown = frame.to_normal(portrait)
    resting = rest_face(shown)
    if eyes_shut(shown):
        resting = open_eyes(resting) if eyes == "open" else keep_lids(resting, shown)
    displacement = foreshorten(resting, motion.displacement)
    moved = resting + displacement * axis_scales(resting)
    moved = hold_lip(resting, hold_falls(resting, hold_rises(resting, moved)))
    moved = hold_lids(resting, part_crossed_lids(part_crossed_lips(hold_corners(moved))))
    if motion.closure is not None:
        moved = press_lips(moved, motion.closure)
    if motion.gaze is not None:
        moved[:, IRISES] += motion.gaze[:, None]
    moved = close_lids(lower_brows(resting, moved, motion.lids), motion.lids)
    return frame.to_pixels(turn_head(moved, motion.pose))


def axis_scales(resting: Points) -> Points:
    """Return the width and height of a resting face `[79, 2]` relative to a typical one: `[2]`."""
    width = float(np.linalg.norm(resting[54] - resting[48])) / TYPICAL_MOUTH_WIDTH
    height = resting[CHIN, 1] / TYPICAL_FACE_HEIGHT
    return np.clip(np.array([width, height], np.float32), 0.75, 1.3)


def foreshorten(resting: Points, displacement: Points) -> Points:
    """Return the displacement `[T, 79, 2]` with the lips of a turned face `[79, 2]` moved aside by
    as much as each half of the mouth is seen.

    Otherwise a corner that is drawn aside on the far half would leave the cheek.
    """
    turned = displacement.copy()
    middle = resting[MOUTH_MIDDLE, 0].mean()
    widths = np.abs(resting[list(MOUTH_HALVES), 0] - middle)
    seen = np.minimum(FULLY_SEEN * widths / max(widths.max(), CLOSED_GAP), 1.0)
    carried = displacement[:, MOUTH_MIDDLE, 0].mean(axis=1, keepdims=True)
    for half, share in zip(MOUTH_HALVES.values(), seen, strict=True):
        turned[:, half, 0] = carried + share * (displacement[:, half, 0] - carried)
    return turned


def rest_face(face: Points) -> Points:
    """Return a face `[79, 2]` in the normal form at rest: lips closed, brows and lids relaxed."""
    near = part_crossed_lids(part_crossed_lips((face + way_to_rest(face))[None]))[0]
    return close_mouth(near)


def close_mouth(face: Points) -> Points:
    """Return the face `[79, 2]` with its lips closed, mostly by raising the jaw."""
    closed: Points = press_lips(face[None], np.ones(1, np.float32))[0]
    closed[[48, 54, 60, 64], 1] -= 0.4 * (face[LOWER_INNER, 1] - closed[LOWER_INNER, 1]).max()
    return np.asarray(closed, np.float32)


def press_lips(faces: Points, closure: Points) -> Points:
    """Return the faces `[T, 79, 2]` with the lips closed by `closure` `[T]`, 0 to 1."""
    pressed = faces.copy()
    gap = closure[:, None] * np.maximum(lip_gaps(faces) - CLOSED_GAP, 0.0)
    pressed[:, UPPER_INNER, 1] += UPPER_SHARE * gap
    pressed[:, LOWER_INNER, 1] -= (1.0 - UPPER_SHARE) * gap
    for outer, inner in OUTER_OVER_INNER.items():
        pressed[:, outer, 1] += pressed[:, inner, 1] - faces[:, inner, 1]
    raised = (1.0 - UPPER_SHARE) * gap.max(axis=1, keepdims=True)
    pressed[:, JAW, 1] -= raised * _jaw_share()
    return pressed


def lip_gaps(faces: Points) -> Points:
    """Return the inner lips' opening `[..., 3]` left, middle, right; negative where they cross."""
    gaps: Points = faces[..., LOWER_INNER, 1] - faces[..., UPPER_INNER, 1]
    return gaps


def _jaw_share() -> Points:
    """Return each jaw point's share of the chin's motion, `[17]`."""
    share: Points = np.clip(1.2 - np.abs(np.arange(17) - CHIN) / 7.0, 0.0, 1.0)
    return share


def eyes_shut(face: Points) -> bool:
    """Return whether both eyes of a face `[79, 2]` in the normal form are shut, as in a blink."""
    opening = face[LOWER_LIDS, 1] - face[UPPER_LIDS, 1]
    return bool(max(opening[:2].mean(), opening[2:].mean()) < SHUT_EYE)


def open_eyes(face: Points) -> Points:
    """Return a face `[79, 2]` with its eyes as far open as typical ones."""
    opened = face.copy()
    level = np.repeat([face[[36, 39], 1].mean(), face[[42, 45], 1].mean()], 2)
    opened[UPPER_LIDS, 1] = level - UPPER_LID_SHARE * OPEN_EYE
    opened[LOWER_LIDS, 1] = level + (1.0 - UPPER_LID_SHARE) * OPEN_EYE
    return opened


def keep_lids(face: Points, shown: Points) -> Points:
    """Return a face `[79, 2]` with the lids of another."""
    kept = face.copy()
    kept[[*UPPER_LIDS, *LOWER_LIDS]] = shown[[*UPPER_LIDS, *LOWER_LIDS]]
    return kept


def part_crossed_lips(faces: Points) -> Points:
    """Return the faces `[T, 79, 2]` with crossed inner lips meeting halfway instead."""
    return _part(faces, UPPER_INNER, LOWER_INNER)


def part_crossed_lids(faces: Points) -> Points:
    """Return the faces `[T, 79, 2]` with crossed lids meeting halfway instead."""
    return _part(faces, UPPER_LIDS, LOWER_LIDS)


def _part(faces: Points, upper: list[int], lower: list[int]) -> Points:
    parted = faces.copy()
    crossed = np.minimum(faces[:, lower, 1] - faces[:, upper, 1], 0.0) / 2.0
    parted[:, upper, 1] += crossed
    parted[:, lower, 1] -= crossed
    return parted


def lower_brows(resting: Points, faces: Points, lids: Points) -> Points:
    """Return the faces `[T, 79, 2]` with raised brows let down as lids `[T]` close, 0 to 1.

    Otherwise the skin of lids that close under raised brows is stretched to twice its height.
    """
    lowered = faces.copy()
    for points in (BROWS, FOREHEAD):
        rise = np.maximum(resting[points, 1] - faces[:, points, 1], 0.0)
        lowered[:, points, 1] += BROWS_IN_BLINK * lids[:, None] * rise
    return lowered


def close_lids(faces: Points, lids: Points) -> Points:
    """Return the faces `[T, 79, 2]` with the lids closed by `lids` `[T]`, 0 to 1."""
    closed = faces.copy()
    opening = faces[:, LOWER_LIDS, 1] - faces[:, UPPER_LIDS, 1]
    closed[:, UPPER_LIDS, 1] += 0.88 * lids[:, None] * opening
    closed[:, LOWER_LIDS, 1] -= 0.06 * lids[:, None] * opening
    return closed


def turn_head(faces: Points, pose: Points) -> Points:
    """Return faces `[T, 79, 2]` in the normal form after head motion `[T, 6]`."""
    grow, roll, right, down, yaw, nod = (pose[:, i, None] for i in range(6))
    x, y = faces[..., 0], faces[..., 1]
    turned_x = x + grow * x - roll * y + right + yaw * DEPTH
    turned_y = y + roll * x + grow * y + down + nod * DEPTH
    return np.stack([turned_x, turned_y], axis=-1).astype(np.float32)
