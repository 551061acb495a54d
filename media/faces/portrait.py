"""The portrait: detects, checks and crops its face, like the training clips."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from media.errors import (
    FaceCutOff,
    FaceTooSmall,
    FaceTurnedAway,
    NoFace,
)
from media.faces.irises import are_eyes_blank
from media.faces.landmarks import (
    BROWS,
    CROP_EYE_LEVEL,
    CROP_INTEROCULARS,
    CROP_SIZE,
    JAW,
    MOUTH,
    eye_midpoint,
    interocular,
    lean,
)
from media.faces.selection import LARGEST, select_face
from media.geometry import Square, crop_square, rotation

MIN_INTEROCULAR = 24.0
"""Pixels between the eyes' centres; below this, a crop is enlarged more than 2.5 times."""
MAX_YAW, MAX_PITCH = 45.0, 40.0
"""Degrees as estimated by `head_turn`. The mesh underestimates large turns: for heads rendered at
45, 55 and 65 degrees, it gives 37, 41 and 50. Three-quarter views pass, and no face is found in
most profiles.
"""
MAX_OVERSHOOT, MAX_FEATURE_OVERSHOOT = 0.2, 0.02
"""How far, in inter-oculars, the jaw line and the brows, eyes, nose and mouth may extend beyond the
picture; the hairline is ignored.
"""
LEANING = 8.0
"""Angle in degrees from which the crop rotates with the head."""
ON_ITS_SIDE = 60.0
"""Angle in degrees from which a head is reported to lie on its side."""

MIRRORED_SIDE = 512
"""Pixels of the longer side of the copy in which cut faces are looked for."""
CUT_OFF = (
    "The face is cut off by the edge of the picture; the whole face from brows to chin is required."
)

SEVERAL_FACES = "several_faces"
FACE_ON_ITS_SIDE = "face_on_its_side"
EYES_BLANK = "eyes_blank"


class Detector(Protocol):
    """Interface of face detectors, implemented by `media.faces.landmarks.LandmarkDetector`."""

    def detect(self, image: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        """Return the faces `[79, 2]` of a picture `[H, W, 3]`, largest first."""
        ...

    def silhouette(self, crop: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return how likely each pixel of a face crop `[S, S, 3]` shows a person, `[S, S]`."""
        ...


@dataclass(frozen=True, eq=False)
class Portrait:
    """A face, ready for both stages.

    Attributes:
        image: the whole picture, RGB `[H, W, 3]`.
        landmarks: `[79, 2]` in crop units: pixels of a crop of 256 x 256.
        box: position of the crop in the picture; it leans like the head and may extend beyond the
            picture's edges.
        notices: codes for the caller: SEVERAL_FACES (nobody chose one, so the largest was used),
            FACE_ON_ITS_SIDE (the picture may need to be rotated), EYES_BLANK (no irises, as of a
            statue).
        silhouette: `[256, 256]` probability that a pixel of the crop shows a person, 0 to 1; None:
            unknown.
    """

    image: NDArray[np.uint8]
    landmarks: NDArray[np.float32]
    box: Square
    notices: tuple[str, ...] = ()
    silhouette: NDArray[np.float32] | None = None

    @property
    def crop(self) -> NDArray[np.uint8]:
        """The face, upright, RGB `[256, 256, 3]`."""
        return self.cut(CROP_SIZE)

    @property
    def view(self) -> Square:
        """The part of the picture that a cropped video shows, upright."""
        height, width = self.image.shape[:2]
        return self.box.within(width, height)

    def cut(self, size: int) -> NDArray[np.uint8]:
        """Return the face, upright, RGB `[size, size, 3]`."""
        return crop_square(self.image, self.box, size)


def crop_portrait(image: NDArray[np.uint8], detector: Detector, choice: str = LARGEST) -> Portrait:
    """Find a face of an RGB picture `[H, W, 3]`, chosen as by `select_face`, and place its crop.

    The crop is like that of the training clips and rotates with a leaning head, so that the
    networks see every face upright.

    Raises:
        NoFace, FaceNotFound, FaceTooSmall, FaceCutOff, FaceTurnedAway.
    """
    faces = find_faces(image, detector)
    face = select_face(faces, choice)
    check_face(face, *image.shape[:2])
    box = crop_box(face)
    notices = face_notices(image, faces, face, choice)
    return Portrait(image, box.to_window(face, CROP_SIZE), box, notices)


def face_notices(
    image: NDArray[np.uint8],
    faces: list[NDArray[np.float32]],
    face: NDArray[np.float32],
    choice: str,
) -> tuple[str, ...]:
    """Return the notices about a face `[79, 2]` that was chosen from a picture's faces."""
    box = crop_box(face)
    crop, landmarks = crop_square(image, box, CROP_SIZE), box.to_window(face, CROP_SIZE)
    notices = [SEVERAL_FACES] if len(faces) > 1 and choice == LARGEST else []
    notices += [FACE_ON_ITS_SIDE] if abs(lean(face)) > ON_ITS_SIDE else []
    notices += [EYES_BLANK] if are_eyes_blank(crop, landmarks) else []
    return tuple(notices)


def head_turn(landmarks: NDArray[np.float32]) -> tuple[float, float]:
    """Estimate a face's yaw and pitch in degrees from the position of its nose tip; 0, 0 is
    straight ahead.

    Yaw is positive towards the viewer's right, pitch is positive downwards. The constants come from
    rotating ICT-FaceKit's neutral head (yaw: across the jaw, exactly tangential) and from the
    median of frontal portraits (pitch: between eyes and chin). Takes `[79, 2]`.
    """
    upright = (landmarks - eye_midpoint(landmarks)) @ rotation(lean(landmarks))
    (left, right), nose, chin = upright[[0, 16], 0], upright[30], upright[8, 1]
    # Beyond a profile, the jaw's two ends swap sides; the width then stays near zero.
    across = (nose[0] - left) / max(right - left, 1e-3) - 0.5
    down = nose[1] / chin
    yaw = np.arctan2(across, 0.639)
    pitch = np.arctan2(down - 0.32, 0.35 - 0.112 * down)
    return float(np.degrees(yaw)), float(np.degrees(pitch))


def find_faces(image: NDArray[np.uint8], detector: Detector) -> list[NDArray[np.float32]]:
    """Return the faces `[79, 2]` of a picture `[H, W, 3]`, largest first, also in rotated pictures.

    A head that leans by more than 45 degrees is detected again with the picture rotated. Whether a
    face can be animated is not checked.

    Raises:
        NoFace, FaceCutOff.
    """
    faces = detector.detect(image)
    if faces and _quarter_turns(faces[0]) == 0:
        return faces
    for turns in (_quarter_turns(faces[0]),) if faces else (1, 3, 2):
        turned = detector.detect(np.ascontiguousarray(np.rot90(image, turns)))
        if turned and abs(lean(turned[0])) < ON_ITS_SIDE:
            return [_turned_back(face, turns, *image.shape[:2]) for face in turned]
    if detector.detect(_mirrored_beyond_its_edges(image)):
        raise FaceCutOff(CUT_OFF)
    raise NoFace(
        "No face was found in the picture; one human face, seen from the front, is required."
    )


def _mirrored_beyond_its_edges(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a small copy that continues as its mirror image: half a face becomes a whole one."""
    height, width = image.shape[:2]
    scale = MIRRORED_SIDE / max(height, width)
    size = (max(2, round(scale * width)), max(2, round(scale * height)))
    small = np.asarray(Image.fromarray(image).resize(size, reducing_gap=2.0))
    margins = [(length // 2, length // 2) for length in small.shape[:2]]
    return np.pad(small, [*margins, (0, 0)], mode="symmetric")


def _turned_back(
    face: NDArray[np.float32], turns: int, height: int, width: int
) -> NDArray[np.float32]:
    """Return a face's position before the picture was rotated by `turns` quarter turns
    anticlockwise.
    """
    x, y = face.T
    places = {1: (width - y, x), 2: (width - x, height - y), 3: (y, height - x)}
    return np.stack(places[turns], axis=-1).astype(np.float32)


def check_face(face: NDArray[np.float32], height: int, width: int) -> None:
    """Check that a face `[79, 2]` of a picture of this size can be animated.

    Raises:
        FaceTurnedAway, FaceTooSmall, FaceCutOff.
    """
    # A profile's eyes are close together too: report that it is turned, not that it is small.
    yaw, pitch = head_turn(face)
    if abs(yaw) > MAX_YAW or abs(pitch) > MAX_PITCH:
        raise FaceTurnedAway(
            f"The face is turned about {abs(yaw):.0f} degrees to the side and "
            f"{abs(pitch):.0f} degrees up or down; up to {MAX_YAW:.0f} and {MAX_PITCH:.0f} "
            "are accepted."
        )
    distance = float(interocular(face))
    if distance < MIN_INTEROCULAR:
        raise FaceTooSmall(
            f"The face has {int(distance)} pixels between its eyes; at least "
            f"{MIN_INTEROCULAR:.0f} are required."
        )
    overshoot = np.maximum(-face, face - (width, height)).max(axis=1) / distance
    features = overshoot[BROWS.start : MOUTH.stop].max()
    if features > MAX_FEATURE_OVERSHOOT or overshoot[JAW].max() > MAX_OVERSHOOT:
        raise FaceCutOff(CUT_OFF)


def crop_box(face: NDArray[np.float32]) -> Square:
    """Return the position of the crop around a face `[79, 2]`, in pixels of the picture."""
    side = round(CROP_INTEROCULARS * float(interocular(face)))
    angle = lean(face)
    angle = angle if abs(angle) > LEANING else 0.0
    x, y = eye_midpoint(face) + rotation(angle) @ (0, (0.5 - CROP_EYE_LEVEL) * side)
    return Square(round(x - side / 2), round(y - side / 2), side, angle)


def _quarter_turns(face: NDArray[np.float32]) -> int:
    """Return the lean of a face in quarter turns clockwise, 0 to 3."""
    return round(lean(face) / 90) % 4
