"""The first step for a take: finds and tracks its face, and rejects unusable takes."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from media.errors import NoFace
from media.faces.landmarks import (
    CROP_EYE_LEVEL,
    CROP_INTEROCULARS,
    CROP_SIZE,
    LandmarkDetector,
    eye_midpoint,
    fill_gaps,
    interocular,
    smooth,
)
from media.faces.portrait import MIN_INTEROCULAR
from media.geometry import Square
from models.metrics.definitions import lip_opening
from models.metrics.lip_sync import MIN_OPENING_RANGE
from models.training.preparation.corpora.takes import Take
from models.training.preparation.footage import read_footage, read_speech
from models.training.preparation.lip_lag import correlations
from models.training.preparation.records import Record
from models.training.preparation.rejection import Reason, Rejected

Pictures = NDArray[np.uint8]
Points = NDArray[np.float32]

MIN_FRAMES = 20
"""The shortest window used in training."""
MAX_LOST = 0.1
"""Share of the frames in which the face may be missing; they are interpolated."""
BYSTANDER = 0.5
"""Size of a second face, relative to the first, from which it counts as a second person."""
PEOPLE_EVERY = 50
"""Number of frames between two counts of people."""
MAX_CHANGE = 20.0
"""Levels of 255 by which consecutive pictures may differ; talking heads stay below 9."""
MAX_JUMP = 0.5
"""Inter-oculars that a face may move between frames; talking heads stay below 0.12."""
MIN_CORRELATION = 0.1
"""Of lips and loudness at the best lag; 90 clips of 3 s in sync reached 0.3 or more."""
JUDGED_FRAMES = 50
"""Below, the correlation says nothing."""
_THUMBNAIL = (32, 32)


class Watched:
    """Frames on their way to the tracker, and the statistics for judging the take."""

    def __init__(self, frames: Iterator[Pictures]) -> None:
        self.frames = frames
        self.thumbnails: list[NDArray[np.int16]] = []
        self.stills: list[Pictures] = []

    def __iter__(self) -> Iterator[Pictures]:
        for index, frame in enumerate(self.frames):
            thumbnail = Image.fromarray(frame).resize(_THUMBNAIL, Image.Resampling.BOX)
            self.thumbnails.append(np.asarray(thumbnail, np.int16))
            if index % PEOPLE_EVERY == 0:
                self.stills.append(frame)
            yield frame


def track_take(take: Take, detector: LandmarkDetector) -> tuple[Record, Points]:
    """Return the record of a take, and its landmarks `[T, 79, 2]` in pixels of the crop.

    Raises:
        Rejected: the take is unusable.
    """
    speech = read_speech(take)
    landmarks = _follow_face(take, detector)
    box = crop_box(landmarks)
    heard = () if speech is None else correlations(landmarks, speech)
    if heard:
        _check_lips(landmarks, max(heard))
    record = Record(box=box, tracked=len(landmarks), correlations=heard)
    return record, box.to_window(landmarks, CROP_SIZE)


def crop_box(landmarks: Points) -> Square:
    """Return the square of a clip `[T, 79, 2]`, the same for all frames to keep head motion."""
    x, y = np.median(eye_midpoint(landmarks), axis=0)
    side = CROP_INTEROCULARS * float(np.median(interocular(landmarks)))
    return Square(float(x) - side / 2, float(y) - side * CROP_EYE_LEVEL, side)


def _follow_face(take: Take, detector: LandmarkDetector) -> Points:
    """Return smoothed landmarks `[T, 79, 2]` in pixels of the footage."""
    watched = Watched(read_footage(take.video))
    try:
        found = detector.follow(watched)
    except NoFace as error:
        raise Rejected(Reason.NO_FACE, "the first frame shows none") from error
    check_length(len(found))
    _check_change(watched.thumbnails)
    _check_people([detector.detect(still) for still in watched.stills])
    lost = sum(face is None for face in found) / len(found)
    if lost > MAX_LOST:
        raise Rejected(Reason.FACE_LOST, f"in {lost:.0%} of the frames")
    landmarks = fill_gaps(found)
    _check_face(landmarks)
    return smooth(landmarks)


def check_length(frames: int) -> None:
    """Reject takes shorter than a training window."""
    if frames < MIN_FRAMES:
        raise Rejected(Reason.TOO_SHORT, f"{frames} frames at 25 fps; {MIN_FRAMES} are needed")


def _check_change(thumbnails: Sequence[NDArray[np.int16]]) -> None:
    changes = np.abs(np.diff(np.stack(thumbnails), axis=0)).mean(axis=(1, 2, 3))
    if changes.max() > MAX_CHANGE:
        raise Rejected(Reason.SHOT_CHANGE, f"the picture changes at frame {changes.argmax() + 1}")


def _check_people(looks: Sequence[Sequence[Points]]) -> None:
    for faces in looks:
        if len(faces) > 1 and interocular(faces[1]) > BYSTANDER * interocular(faces[0]):
            raise Rejected(Reason.SEVERAL_PEOPLE, f"{len(faces)} faces in one frame")


def _check_face(landmarks: Points) -> None:
    size = float(np.median(interocular(landmarks)))
    if size < MIN_INTEROCULAR:
        raise Rejected(
            Reason.FACE_TOO_SMALL, f"{size:.0f} px between the eyes; {MIN_INTEROCULAR:.0f} needed"
        )
    jumps = np.linalg.norm(np.diff(eye_midpoint(landmarks), axis=0), axis=-1) / size
    if jumps.max() > MAX_JUMP:
        raise Rejected(Reason.SHOT_CHANGE, f"the face jumps at frame {jumps.argmax() + 1}")


def _check_lips(landmarks: Points, correlation: float) -> None:
    low, high = np.percentile(lip_opening(landmarks), (5, 95))
    if high - low < MIN_OPENING_RANGE:
        raise Rejected(Reason.LIPS_STILL, f"they part by {high - low:.3f} inter-oculars")
    if len(landmarks) >= JUDGED_FRAMES and correlation < MIN_CORRELATION:
        raise Rejected(Reason.OUT_OF_SYNC, f"r {correlation:.2f} at the best lag")
