import numpy as np
import pytest
from torch import Tensor

from media.emotions import Emotion
from models.evaluation.fer_network import SEEN, SIDE
from models.evaluation.shown_emotion import Impression, face_square, judge, shown_emotion_table


def impression(kind: str, shown: Emotion, seen: Emotion) -> Impression:
    probabilities = np.full(len(SEEN), 0.05, np.float32)
    probabilities[SEEN.index(seen)] = 0.7
    return Impression(kind, shown, probabilities)


def test_an_emotion_is_recognized_if_none_seems_more_probable() -> None:
    rows = shown_emotion_table(
        [
            impression("photograph", Emotion.HAPPINESS, Emotion.HAPPINESS),
            impression("video", Emotion.FEAR, Emotion.FEAR),
            impression("video", Emotion.FEAR, Emotion.SURPRISE),
            impression("video", Emotion.ANGER, Emotion.NEUTRAL),
        ]
    ).rows
    assert [(row["shown"], row["faces"], row["recognized"]) for row in rows] == [
        ("photograph, happiness", 1, 1.0),
        ("video, fear", 2, 0.5),
        ("video, anger", 1, 0.0),
        ("videos", 3, pytest.approx(1 / 3)),
    ]
    assert rows[1]["probability"] == pytest.approx(0.375)


def test_without_the_network_the_table_says_so() -> None:
    (row,) = shown_emotion_table([]).rows
    assert row["recognized"] is None


def test_the_square_surrounds_the_face_wherever_it_is() -> None:
    picture = np.zeros((512, 512, 3), np.uint8)
    landmarks = np.full((79, 2), 300.0, np.float32)
    landmarks[0], landmarks[16], landmarks[8] = (250, 280), (350, 280), (300, 360)
    picture[280:361, 250:351] = 200
    square = face_square(picture, landmarks)
    assert square.shape == (SIDE, SIDE, 3)
    assert square[SIDE // 2, SIDE // 2, 0] == 200
    assert not square[:3].any()
    assert 0.4 < (square[..., 0] > 100).mean() < 0.6


def test_the_mean_over_the_faces_counts() -> None:
    def network(faces: Tensor) -> Tensor:
        return faces.mean(dim=(1, 2, 3))[:, None].expand(-1, len(SEEN))

    faces = [np.full((SIDE, SIDE, 3), level, np.uint8) for level in (0, 255)]
    np.testing.assert_allclose(judge(network, faces), 0.5, atol=1e-6)
