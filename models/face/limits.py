"""How far emotions may move the features of a face, whose proportions differ from others'.

A look moves all faces alike, in inter-ocular distances. What is in proportion on one would be a
caricature on another, so each movement is as requested up to a bound, and beyond it ever nearer to
a limit. Faces `[T, 79, 2]` are in the normal form (`models/face/retargeting.py`).
"""

import numpy as np
from numpy.typing import NDArray

from media.faces.landmarks import BROWS, LOWER_LIDS, MOUTH, NOSE_BASE, UPPER_LIDS

Points = NDArray[np.float32]

MOUTH_HALVES = {48: [48, 49, 50, 58, 59, 60, 61, 67], 54: [52, 53, 54, 55, 56, 63, 64, 65]}
"""The points of each half of the lips, by their corner."""
MOUTH_MIDDLE = [62, 66]
COLUMELLA, UPPER_LIP = 33, 51
"""Middles of the nose's base and of the upper lip's outer edge."""
CLOSED_GAP = 0.004
"""Opening of closed lips, in inter-ocular units."""
SHUT_EYE, OPEN_EYE = 0.05, 0.13
"""Opening of eyes caught in a blink, and that of open ones, in inter-ocular units; people
photographed neutral have 0.134, with a deviation of 0.015."""
HIGHEST_RISES = ((BROWS, 0.14, 0.20), (NOSE_BASE, 0.06, 0.11))
"""Points, and their rise in inter-ocular units: as requested, and at most.

Higher brows would pull up the lids. Filmed noses rise by 0.12 at most.
"""
LOWERED_BROW = (0.3, 0.55)
"""Fall of brows as a share of their own height above the upper lids: as requested, and at most."""
NARROWED_EYE, WIDENED_EYE = (-0.15, -0.45), (0.15, 0.4)
"""Change of an eye's opening in an emotion beside that at rest: as requested, and at most.

The eyes of 96 people who smile are narrower by 0.08, of one in twenty by 0.2 or more.
"""
LEAST_ROOM = 0.1
"""Share of `NARROWED_EYE` that holds for eyes which are nearly shut at rest."""
FALLEN_CORNER = (0.15, 0.3)
"""How far the mouth's corners lie below its middle, as a share of their distance from it: as
requested, and at most.
"""
RISEN_CORNER = (0.0, 0.04)
"""How far the mouth's corners lie above the upper lip beside them, in inter-ocular units: as
requested, and at most. Of 96 smiles, one in a hundred has 0, of 673 portraits 0.04.
"""
BESIDE_CORNERS = {(48, 60): 49, (54, 64): 53}
"""The points of the upper lip beside its outer and inner corners."""
RAISED_LIP = (0.25, 0.5)
"""How much nearer to the nose the upper lip comes, as a share of their distance at rest: as
requested, and at most. Of 86 smiles, one in twenty has 0.3 and none more than 0.4.
"""


def hold_rises(resting: Points, faces: Points) -> Points:
    """Return the faces `[T, 79, 2]` with the rise of brows and nose softly limited."""
    held = faces.copy()
    for points, free, highest in HIGHEST_RISES:
        rise = resting[points, 1] - faces[:, points, 1]
        held[:, points, 1] = resting[points, 1] - _limited(rise, free, highest)
    return held


def hold_falls(resting: Points, faces: Points) -> Points:
    """Return the faces `[T, 79, 2]` with the fall of brows softly limited.

    A frown lowers all brows alike, but they differ: what draws high brows together would press low
    ones onto the lids.
    """
    held = faces.copy()
    height = np.maximum(resting[UPPER_LIDS, 1].mean() - resting[BROWS, 1], CLOSED_GAP)
    fall = (faces[:, BROWS, 1] - resting[BROWS, 1]) / height
    held[:, BROWS, 1] = resting[BROWS, 1] + height * _limited(fall, *LOWERED_BROW)
    return held


def hold_corners(faces: Points) -> Points:
    """Return the faces `[T, 79, 2]` with fall and rise of the mouth's corners softly limited.

    What bends a level mouth down would fold one whose corners hang at rest, or whose half is turned
    away. Upper and lower lip are lifted alike: the opening stays. Corners that rise far above the
    lip beside them would fold it.
    """
    held = faces.copy()
    middle = faces[:, MOUTH_MIDDLE].mean(axis=1)
    for corner, half in MOUTH_HALVES.items():
        across = faces[:, half, 0] - middle[:, :1]
        width = np.maximum(np.abs(faces[:, corner, 0] - middle[:, 0]), CLOSED_GAP)
        slope = (faces[:, corner, 1] - middle[:, 1]) / width
        lift = width * (slope - _limited(slope, *FALLEN_CORNER))
        held[:, half, 1] -= lift[:, None] * np.minimum(across / width[:, None], 1.0) ** 2
    for corners, beside in BESIDE_CORNERS.items():
        risen = held[:, beside, 1] - held[:, corners[0], 1]
        held[:, corners, 1] += (risen - _limited(risen, *RISEN_CORNER))[:, None]
    return held


def hold_lip(resting: Points, faces: Points) -> Points:
    """Return the faces `[T, 79, 2]` with the mouth's way towards the nose softly limited.

    The distance between the two differs from face to face: a raised upper lip would pass the nose
    where that is short. The mouth is lowered as a whole: the opening stays.
    """
    held = faces.copy()
    own = max(float(_below_nose(resting)), CLOSED_GAP)
    nearer = 1.0 - _below_nose(faces) / own
    held[:, MOUTH, 1] += own * (nearer - _limited(nearer, *RAISED_LIP))[:, None]
    return held


def _below_nose(faces: Points) -> Points:
    """Return how far the upper lip lies below the nose in faces `[..., 79, 2]`: `[...]`."""
    distance: Points = faces[..., UPPER_LIP, 1] - faces[..., COLUMELLA, 1]
    return distance


def hold_lids(resting: Points, faces: Points) -> Points:
    """Return the faces `[T, 79, 2]` with eyes neither much narrower nor wider than at rest.

    An emotion moves the lids of all faces alike, but eyes differ: what half closes a large eye
    shuts a narrow one, which therefore narrows by a smaller share.
    """
    held = faces.copy()
    for eye, corners in enumerate(([36, 39], [42, 45])):
        upper, lower = (lids[2 * eye : 2 * eye + 2] for lids in (UPPER_LIDS, LOWER_LIDS))
        own = max((resting[lower, 1] - resting[upper, 1]).mean(), CLOSED_GAP)
        room = np.clip((own - SHUT_EYE) / (OPEN_EYE - SHUT_EYE), LEAST_ROOM, 1.0)
        narrowed = (room * NARROWED_EYE[0], room * NARROWED_EYE[1])
        asked = (faces[:, lower, 1] - faces[:, upper, 1]).mean(axis=-1) / own - 1.0
        given = _limited(_limited(asked, *narrowed), *WIDENED_EYE)
        kept = np.divide(given, asked, out=np.ones_like(asked), where=given != asked)[:, None]
        carried = (faces[:, corners, 1] - resting[corners, 1]).mean(axis=-1, keepdims=True)
        for lid in (upper, lower):
            rest = resting[lid, 1] + carried
            held[:, lid, 1] = rest + kept * (faces[:, lid, 1] - rest)
    return held


def _limited(values: Points, free: float, limit: float) -> Points:
    """Return the values as they are up to `free`, and ever nearer to `limit` beyond it."""
    room = limit - free
    beyond = np.maximum((values - free) / room, 0.0)
    limited: Points = values + room * (np.tanh(beyond) - beyond)
    return limited
