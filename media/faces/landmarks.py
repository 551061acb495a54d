"""The 79 landmarks of a face: their layout, their detector, their normal form.

A face is `[79, 2]` float32, x right and y down:

     0-16  jaw                  48-59  outer lips
    17-26  brows                60-67  inner lips
    27-35  nose                 68-69  iris centres, the viewer's left first
    36-47  eyes                 70-78  upper forehead, left to right

Points 0-67 are the iBUG-68 order. Left and right are the viewer's.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from media.errors import NoFace
from media.faces.mediapipe_setup import chatter_left_out, plotting_left_out
from media.geometry import Square, crop_square, cut_tiles

NUM_LANDMARKS = 79
CROP_SIZE = 256
"""Pixels along each side of a face crop, of stage two's input and of its output."""
CROP_INTEROCULARS = 4.1
"""Side of a face crop in distances between the eyes' centres, as in the training clips."""
CROP_EYE_LEVEL = 0.402
"""Vertical position of the eyes' midpoint in a crop, as a share of its side; it is centred
horizontally.
"""

JAW = slice(0, 17)
BROWS = slice(17, 27)
NOSE_BRIDGE = slice(27, 31)
NOSE_BASE = slice(31, 36)
LEFT_EYE = slice(36, 42)
RIGHT_EYE = slice(42, 48)
OUTER_LIPS = slice(48, 60)
INNER_LIPS = slice(60, 68)
MOUTH = slice(48, 68)
IRISES = slice(68, 70)
FOREHEAD = slice(70, 79)
UPPER_LIDS, LOWER_LIDS = [37, 38, 43, 44], [41, 40, 47, 46]
"""Pairs of lid points, one above the other."""

MIRROR = (
    *range(16, -1, -1),
    *range(26, 16, -1),
    *(27, 28, 29, 30, 35, 34, 33, 32, 31),
    *(45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40),
    *(54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55),
    *(64, 63, 62, 61, 60, 67, 66, 65),
    *(69, 68),
    *range(78, 69, -1),
)
"""The mirror image of each landmark."""

# The MediaPipe Face Mesh vertex under each landmark.
FACE_MESH = (
    *(162, 234, 93, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323, 454, 389),
    *(71, 63, 105, 66, 107, 336, 296, 334, 293, 301),
    *(168, 197, 5, 4, 75, 97, 2, 326, 305),
    *(33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380),
    *(61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181),
    *(78, 82, 13, 312, 308, 317, 14, 87),
    *(468, 473),
    *(54, 103, 67, 109, 10, 338, 297, 332, 284),
)

_LOOKS = 4
"""Number of times a still is shown to the tracker, which then converges to 0.1 to 0.5 px from the
landmarks of a tracked clip (256 px crops); the first result is off by 1.0 to 1.6 px.
"""
_BOX_MARGINS = (2.2, 1.6, 1.2)
"""Side of the mesh's window in widths of the detected box; 2.2 are about 4 inter-oculars. In a
window with two heads, the mesh may find the other one; the next larger value is closer to that.
"""
_LEANING = 8.0
"""Angle in degrees from which a leaning face is detected again, rotated upright."""
_DETECTOR_SIZE = 384
_MIN_TILE = 360
"""Pixels; the detector finds eyes 0.04 of a tile apart, so smaller tiles are useless."""
_MIN_TILE_SHARE = 1 / 512
"""Of the longer side: looking for the smallest faces in a longer strip would take minutes."""
_MAX_FACES = 8
_TRACKING_INTEROCULARS = 7.0
"""Side of the window that follows a face through a video, with space for head motion."""
_MAX_TRACKING_SIZE = 512
_SAVITZKY_GOLAY = np.array([-3, 12, 17, 12, -3], np.float32) / 35
"""Quadratic through five frames (Savitzky and Golay 1964, table I)."""


def interocular(landmarks: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the distances `[...]` between the eyes' centres of faces `[..., 79, 2]`."""
    eyes = landmarks[..., RIGHT_EYE, :].mean(-2) - landmarks[..., LEFT_EYE, :].mean(-2)
    return np.asarray(np.linalg.norm(eyes, axis=-1))


def eye_midpoint(landmarks: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the points `[..., 2]` halfway between the eyes' centres of faces `[..., 79, 2]`."""
    eyes = landmarks[..., RIGHT_EYE, :].mean(-2) + landmarks[..., LEFT_EYE, :].mean(-2)
    return np.asarray(eyes / 2)


def lean(landmarks: NDArray[np.float32]) -> float:
    """Return the angle of the eye line of one face `[79, 2]`: degrees clockwise, -180 to 180."""
    x, y = landmarks[RIGHT_EYE].mean(0) - landmarks[LEFT_EYE].mean(0)
    return float(np.degrees(np.arctan2(y, x)))


def smooth(track: NDArray[np.float32]) -> NDArray[np.float32]:
    """Remove detector jitter from a track `[T, ...]` at 25 fps, keeping lip closures."""
    reach = len(_SAVITZKY_GOLAY) // 2
    padded = np.pad(track, [(reach, reach)] + [(0, 0)] * (track.ndim - 1), mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, len(_SAVITZKY_GOLAY), axis=0)
    return (windows @ _SAVITZKY_GOLAY).astype(np.float32)


class LandmarkDetector:
    """MediaPipe's face detectors, refined face mesh and selfie segmentation.

    They run on the CPU, for one thread at a time.

    Creating it takes 0.3 s, and it holds native memory until `close`; use it as a context manager.
    """

    def __init__(self) -> None:
        # Importing MediaPipe takes time, which processes that only need the layout avoid.
        with plotting_left_out():
            from mediapipe.python.solutions import face_detection, face_mesh, selfie_segmentation

        detection: Any = face_detection.FaceDetection
        mesh: Any = face_mesh.FaceMesh
        segmentation: Any = selfie_segmentation.SelfieSegmentation

        blank = np.zeros((CROP_SIZE, CROP_SIZE, 3), np.uint8)
        with chatter_left_out():
            self._near, self._far = detection(model_selection=0), detection(model_selection=1)
            self._mesh = mesh(refine_landmarks=True)
            self._segmentation = segmentation(model_selection=0)
            for graph in self._graphs():
                graph.process(blank)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Free the native graphs; the detector cannot be used afterwards."""
        for graph in self._graphs():
            graph.close()

    def detect(self, image: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        """Find the faces of an RGB picture `[H, W, 3]`.

        The whole picture is searched first, then smaller and smaller tiles until a face is found,
        down to faces of about 30 px between the eyes.

        Returns:
            Each face's landmarks `[79, 2]` in pixels of the picture, the largest face first. They
            may lie outside if the picture cuts off a face.
        """
        for squares in self._search(image):
            faces = [self._mesh_still(image, square) for square in squares]
            found = _distinct([face for face in faces if face is not None])
            if found:
                return found
        return []

    def silhouette(self, crop: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return how likely each pixel of a face crop `[S, S, 3]`, RGB, shows a person.

        The result is `[S, S]`, 0 to 1.
        """
        mask: NDArray[np.float32] = self._segmentation.process(crop).segmentation_mask
        return mask

    def track(self, frames: Iterable[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Track the largest face of the first frame through RGB frames `[T, H, W, 3]` at 25 fps.

        Returns:
            Smoothed landmarks `[T, 79, 2]` in pixels; frames without the face are interpolated.

        Raises:
            NoFace: the first frame shows no face, or most frames lose it.
        """
        return smooth(fill_gaps(self.follow(frames)))

    def follow(self, frames: Iterable[NDArray[np.uint8]]) -> list[NDArray[np.float32] | None]:
        """Like `track`, but unsmoothed: each frame's `[79, 2]`, or None if the face is lost.

        Raises:
            NoFace: the first frame shows no face.
        """
        remaining = iter(frames)
        first = next(remaining)
        square, size = self._tracking_window(first)
        found = [self._mesh_anew(crop_square(first, square, size))]
        found += [self._mesh_window(crop_square(frame, square, size)) for frame in remaining]
        return [None if face is None else square.to_picture(face, size) for face in found]

    def _graphs(self) -> tuple[Any, ...]:
        return self._near, self._far, self._mesh, self._segmentation

    def _search(self, image: NDArray[np.uint8]) -> Iterator[list[Square]]:
        """Yield candidate positions of faces: in the whole picture, then in smaller and smaller
        tiles.
        """
        height, width = image.shape[:2]
        side = float(max(height, width))
        whole = Square.around(width / 2, height / 2, side)
        window = crop_square(image, whole, _DETECTOR_SIZE)
        near, far = (self._boxes(window, whole, graph) for graph in (self._near, self._far))
        yield _largest_apart([*near, *far])
        smallest = max(_MIN_TILE, side * _MIN_TILE_SHARE)
        while (side := side / 2) >= smallest:
            tiles = cut_tiles(image, side, _DETECTOR_SIZE)
            yield _largest_apart([b for tile in tiles for b in self._boxes(*tile, self._far)])

    def _boxes(self, window: NDArray[np.uint8], square: Square, graph: Any) -> list[Square]:
        """Return the faces in the window of this square."""
        detections = graph.process(np.ascontiguousarray(window)).detections or []
        boxes = [detection.location_data.relative_bounding_box for detection in detections]
        return [
            Square.around(
                square.left + (box.xmin + box.width / 2) * square.side,
                square.top + (box.ymin + box.height / 2) * square.side,
                box.width * square.side,
            )
            for box in boxes
        ]

    def _mesh_still(self, image: NDArray[np.uint8], box: Square) -> NDArray[np.float32] | None:
        """Return the landmarks of the upright or leaning face in a box, or None."""
        # The mesh also fits a (wrong) face to an upside-down picture.
        window = crop_square(image, _widened(box, _BOX_MARGINS[0]), CROP_SIZE)
        if self._score(window[::-1, ::-1]) > self._score(window):
            return None
        squares = [_widened(box, margin) for margin in _BOX_MARGINS]
        found = (self._mesh_square(image, square) for square in squares)
        faces = (face for face in found if face is not None and box.holds(*_middle(face)))
        face = next(faces, None)
        return face if face is None else self._mesh_upright(image, face)

    def _mesh_upright(
        self, image: NDArray[np.uint8], face: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Detect a leaning face again, rotated upright."""
        angle = lean(face)
        if abs(angle) < _LEANING:
            return face
        side = CROP_INTEROCULARS * float(interocular(face))
        x, y = _middle(face)
        again = self._mesh_square(image, Square.around(x, y, side, angle))
        # A face that leans by as much in the other direction is a different one.
        return face if again is None or abs(lean(again) - angle) > _LEANING else again

    def _mesh_square(self, image: NDArray[np.uint8], square: Square) -> NDArray[np.float32] | None:
        """Return the landmarks of the face in a square, in pixels of the picture."""
        face = self._mesh_anew(crop_square(image, square, CROP_SIZE))
        return None if face is None else square.to_picture(face, CROP_SIZE)

    def _score(self, window: NDArray[np.uint8]) -> float:
        """Return the near detector's confidence, 0 to 1, that the window shows an upright face."""
        detections = self._near.process(np.ascontiguousarray(window)).detections or []
        return max((detection.score[0] for detection in detections), default=0.0)

    def _mesh_anew(self, window: NDArray[np.uint8]) -> NDArray[np.float32] | None:
        """Reset the tracker and converge to the face in this window `[S, S, 3]`."""
        with chatter_left_out():
            self._mesh.reset()
            return [self._mesh_window(window) for _ in range(_LOOKS)][-1]

    def _mesh_window(self, window: NDArray[np.uint8]) -> NDArray[np.float32] | None:
        """Return the landmarks of the tracked face in pixels of the window `[S, S, 3]`."""
        meshes = self._mesh.process(window).multi_face_landmarks
        if not meshes:
            return None
        points = meshes[0].landmark
        return np.array([(points[i].x, points[i].y) for i in FACE_MESH], np.float32) * len(window)

    def _tracking_window(self, frame: NDArray[np.uint8]) -> tuple[Square, int]:
        """Return the square to search in a video, and its scaled side in pixels."""
        faces = self.detect(frame)
        if not faces:
            raise NoFace("The video's first frame shows no face.")
        height, width = frame.shape[:2]
        side = float(_TRACKING_INTEROCULARS * interocular(faces[0]))
        if side >= max(height, width):
            side = max(height, width)
            square = Square.around(width / 2, height / 2, side)
        else:
            x, y = eye_midpoint(faces[0])
            square = Square.around(x, y, side)
        return square, min(round(side), _MAX_TRACKING_SIZE)


def _widened(box: Square, margin: float) -> Square:
    return Square.around(*box.centre, box.side * margin)


def _middle(face: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the centre `[2]` of nose, eyes and mouth."""
    return np.asarray(face[NOSE_BRIDGE.start : MOUTH.stop].mean(axis=0))


def _largest_apart(boxes: list[Square]) -> list[Square]:
    """Keep the largest boxes that contain no other box's centre."""
    kept: list[Square] = []
    for box in sorted(boxes, key=lambda box: box.side, reverse=True):
        if not any(other.holds(*box.centre) for other in kept):
            kept.append(box)
    return kept[:_MAX_FACES]


def _distinct(faces: list[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
    """Sort faces by size, largest first, and remove duplicates."""
    kept: list[NDArray[np.float32]] = []
    for face in sorted(faces, key=lambda face: float(interocular(face)), reverse=True):
        gaps = [np.linalg.norm(eye_midpoint(face) - eye_midpoint(k)) / interocular(k) for k in kept]
        if all(gap > 1 for gap in gaps):
            kept.append(face)
    return kept


def fill_gaps(found: list[NDArray[np.float32] | None]) -> NDArray[np.float32]:
    """Interpolate `[T, 79, 2]` over frames without the face.

    Raises:
        NoFace: most frames have lost it.
    """
    known = [index for index, face in enumerate(found) if face is not None]
    if 2 * len(known) < len(found):
        raise NoFace(f"A face was found in only {len(known)} of the video's {len(found)} frames.")
    flat = np.stack([face.ravel() for face in found if face is not None])
    every = np.arange(len(found))
    filled = [np.interp(every, known, column) for column in flat.T]
    return np.stack(filled, axis=1).reshape(-1, NUM_LANDMARKS, 2).astype(np.float32)
