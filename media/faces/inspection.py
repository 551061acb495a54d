"""Inspects a picture: its faces, which one is animated, and why a job would reject it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from media.errors import FaceCutOff, MediaError, NoFace, PortraitError
from media.faces.landmarks import interocular
from media.faces.portrait import Detector, check_face, crop_box, face_notices, find_faces
from media.faces.selection import from_left, select_face
from media.geometry import Square
from media.picture import Picture

QUICK_SIDE = 1024
"""Longer side, in pixels, of the copy in which a face is looked for first."""


@dataclass(frozen=True)
class Refusal:
    """Why a file cannot be used: a job's code and message."""

    code: str
    message: str

    @classmethod
    def of(cls, error: MediaError) -> "Refusal":
        """Return the reason that an error gives."""
        return cls(error.code, str(error))


@dataclass(frozen=True)
class Box:
    """An upright rectangle in pixels of the upright picture; it may extend beyond the edges."""

    left: float
    top: float
    width: float
    height: float

    @classmethod
    def around(cls, points: NDArray[np.float32]) -> "Box":
        """Return the smallest box around points `[N, 2]`."""
        left, top = points.min(axis=0)
        width, height = np.ptp(points, axis=0)
        return cls(*(round(float(each), 1) for each in (left, top, width, height)))

    @classmethod
    def of(cls, square: Square) -> "Box":
        """Return an upright square as a box."""
        return cls(square.left, square.top, square.side, square.side)


@dataclass(frozen=True)
class FoundFace:
    """A face of a picture.

    Attributes:
        box: around its landmarks, from the hairline to the chin.
        crop: what a video of the face alone shows.
        interocular: pixels between the eyes' centres.
        refusal: why it cannot be animated, or None.
    """

    box: Box
    crop: Box
    interocular: float
    refusal: Refusal | None = None


@dataclass(frozen=True)
class Inspection:
    """A picture and its faces.

    Attributes:
        width, height: pixels of the upright picture; None if it cannot be decoded.
        faces: from the left; None if no detector ran.
        speaker: number of the face that is animated, 1 for the first; None if there is none.
        notices: codes, as a job has them.
        refusal: why the picture, or the face that was chosen, cannot be used; or None.
    """

    width: int | None = None
    height: int | None = None
    faces: tuple[FoundFace, ...] | None = None
    speaker: int | None = None
    notices: tuple[str, ...] = ()
    refusal: Refusal | None = None


def inspect_picture(picture: Picture, detector: Detector, choice: str) -> Inspection:
    """Inspect a picture in which `choice` selects the face, as in `select_face`."""
    height, width = picture.pixels.shape[:2]
    faces: list[NDArray[np.float32]] = []
    try:
        faces = _find_soon(picture.pixels, detector)
        face = select_face(faces, choice)
    except PortraitError as error:
        found = _describe(faces, height, width)
        return Inspection(width, height, found, None, picture.notices, Refusal.of(error))
    ordered = from_left(faces)
    speaker = next(number for number, each in enumerate(ordered, 1) if each is face)
    found = _describe(ordered, height, width)
    notices = (*picture.notices, *face_notices(picture.pixels, faces, face, choice))
    return Inspection(width, height, found, speaker, notices, found[speaker - 1].refusal)


def _find_soon(image: NDArray[np.uint8], detector: Detector) -> list[NDArray[np.float32]]:
    """Return the faces as `find_faces` does, but sooner if a large picture has none.

    A job searches every part of it, in every direction, for up to a minute. Here, a small copy
    comes first; if it shows no face, only small upright ones are looked for.

    Raises:
        NoFace, FaceCutOff.
    """
    small = Image.fromarray(image)
    small.thumbnail((QUICK_SIDE, QUICK_SIDE), reducing_gap=2.0)
    if small.width == image.shape[1]:
        return find_faces(image, detector)
    try:
        find_faces(np.asarray(small), detector)
    except (NoFace, FaceCutOff):
        if faces := detector.detect(image):
            return faces
        raise
    return find_faces(image, detector)


def _describe(faces: list[NDArray[np.float32]], height: int, width: int) -> tuple[FoundFace, ...]:
    return tuple(
        FoundFace(
            box=Box.around(face),
            crop=Box.of(crop_box(face).within(width, height)),
            interocular=round(float(interocular(face)), 1),
            refusal=_refusal(face, height, width),
        )
        for face in from_left(faces)
    )


def _refusal(face: NDArray[np.float32], height: int, width: int) -> Refusal | None:
    try:
        check_face(face, height, width)
    except PortraitError as error:
        return Refusal.of(error)
    return None
