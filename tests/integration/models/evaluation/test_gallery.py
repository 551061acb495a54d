import numpy as np

from media.audio import FRAME_RATE
from media.emotions import EMOTIONS
from models.evaluation.gallery import (
    FACE_SIZE,
    LEANING_SIZE,
    LEANS,
    MOMENTS,
    OPENING_SIZE,
    OPENINGS,
    SENTENCE,
    SENTENCE_SIZE,
    Gallery,
    grey,
    lean,
)
from tests.media import babble
from tests.unit.models.evaluation.tiny_evaluation import tiny_pipeline
from tests.unit.models.faces import face_picture


def gallery() -> Gallery:
    return Gallery(tiny_pipeline(), babble(MOMENTS / FRAME_RATE))


def test_a_row_holds_one_face_an_emotion_and_no_two_are_the_same() -> None:
    row = gallery().emotion_row(face_picture(0))
    assert row.shape == (FACE_SIZE, FACE_SIZE * len(EMOTIONS), 3)
    faces = {row[:, i * FACE_SIZE : (i + 1) * FACE_SIZE].tobytes() for i in range(len(EMOTIONS))}
    assert len(faces) == len(EMOTIONS)


def test_every_part_has_its_rows_and_columns() -> None:
    portrait = face_picture(0)
    sentence = gallery().sentence(portrait)
    assert sentence.width == SENTENCE_SIZE * MOMENTS
    assert sentence.height > SENTENCE_SIZE * len(SENTENCE)
    openings = gallery().openings([portrait, portrait])
    assert openings is not None
    assert openings.width == OPENING_SIZE * len(OPENINGS)
    leaning = gallery().leaning([portrait])
    assert leaning is not None
    assert leaning.width == LEANING_SIZE * len(LEANS)
    assert gallery().emotions([]) is None


def test_a_grey_portrait_has_no_colour_and_keeps_its_light() -> None:
    image = np.random.default_rng(0).integers(0, 256, (20, 30, 3)).astype(np.uint8)
    without = grey(image)
    assert (np.ptp(without, axis=-1) == 0).all()
    assert abs(float(without.mean()) - float(image.mean())) < 15


def test_a_leaning_portrait_is_turned_clockwise() -> None:
    image = np.zeros((50, 50, 3), np.uint8)
    image[5, 25] = 200
    row, column = np.argwhere(lean(image, 90)[..., 0] > 100)[0]
    assert abs(row - 25) <= 1
    assert column > 40
