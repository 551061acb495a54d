import numpy as np

from media.audio import FRAME_RATE
from media.emotions import EMOTIONS
from models.evaluation.gallery import FACE_SIZE, MOUTH_MOMENTS, emotion_row, face_strip, mouth_strip
from tests.media import babble
from tests.unit.models.evaluation.tiny_evaluation import tiny_pipeline
from tests.unit.models.faces import face_picture

SECONDS = MOUTH_MOMENTS / FRAME_RATE


def test_a_row_holds_one_face_an_emotion_and_no_two_are_the_same() -> None:
    row = emotion_row(tiny_pipeline(), face_picture(0), babble(SECONDS))
    assert row.shape == (FACE_SIZE, FACE_SIZE * len(EMOTIONS), 3)
    faces = {row[:, i * FACE_SIZE : (i + 1) * FACE_SIZE].tobytes() for i in range(len(EMOTIONS))}
    assert len(faces) == len(EMOTIONS)


def test_the_moments_stand_side_by_side_and_the_mouths_in_two_rows() -> None:
    frames = np.stack([face_picture(seed) for seed in range(MOUTH_MOMENTS)])
    assert face_strip(frames).width == FACE_SIZE * len(EMOTIONS)
    mouths = mouth_strip(frames)
    assert mouths.width == 128 * MOUTH_MOMENTS // 2
    assert mouths.height % 2 == 0
