"""Which face of a picture is animated, if it shows several."""

import numpy as np
from numpy.typing import NDArray

from media.errors import FaceNotFound
from media.faces.landmarks import CROP_INTEROCULARS, eye_midpoint, interocular

LARGEST = "largest"

Face = NDArray[np.float32]


def from_left(faces: list[Face]) -> list[Face]:
    """Return faces `[79, 2]` in the order in which callers number them, from the left."""
    return sorted(faces, key=lambda face: float(eye_midpoint(face)[0]))


def select_face(faces: list[Face], choice: str) -> Face:
    """Return one of a picture's faces `[79, 2]`.

    Args:
        faces: at least one; the largest first.
        choice: LARGEST; a number from the left, 1 for the first; or a point `x,y` on the face, in
            pixels of the upright picture.

    Raises:
        FaceNotFound: there are fewer faces, or none at the point.
        ValueError: the choice is none of these.
    """
    if choice == LARGEST:
        return faces[0]
    if "," in choice:
        x, y = map(float, choice.split(","))
        return _face_at(faces, x, y)
    number = int(choice)
    if not 1 <= number <= len(faces):
        raise FaceNotFound(
            f"Face {number} was chosen, but {_counted(len(faces))} found in the picture."
        )
    return from_left(faces)[number - 1]


def _face_at(faces: list[Face], x: float, y: float) -> Face:
    """Return the face with the nearest eyes of those whose crop would hold the point."""
    gaps = [
        float(np.linalg.norm(eye_midpoint(face) - (x, y)) / interocular(face)) for face in faces
    ]
    nearest = int(np.argmin(gaps))
    if gaps[nearest] > CROP_INTEROCULARS / 2:
        places = "; ".join(
            f"{eye_x:.0f},{eye_y:.0f}" for eye_x, eye_y in map(eye_midpoint, from_left(faces))
        )
        raise FaceNotFound(
            f"There is no face at {x:g},{y:g}; {_counted(len(faces))} found in the picture, "
            f"with eyes at {places}."
        )
    return faces[nearest]


def _counted(count: int) -> str:
    return "1 face was" if count == 1 else f"{count} faces were"
