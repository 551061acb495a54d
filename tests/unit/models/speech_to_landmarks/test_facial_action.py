import torch

from media.emotions import EMOTIONS, Emotion
from models.speech_to_landmarks.facial_action import FacialAction

CORNERS, MIDDLE, CHIN = [48, 54], [51, 57, 62, 66], 8


def test_contempt_raises_one_corner_of_a_mouth_that_stays_level() -> None:
    looks = FacialAction.load(torch.device("cpu")).looks[:, EMOTIONS.index(Emotion.CONTEMPT), :, 1]
    still, raised = looks[:, CORNERS].T
    assert float(raised.max()) < -0.08
    assert float(raised.min()) > -0.16
    for others in (still, looks[:, MIDDLE], looks[:, CHIN]):
        assert float(others.abs().max()) < 0.03


def test_sadness_lowers_the_corners_more_than_it_widens_the_mouth() -> None:
    looks = FacialAction.load(torch.device("cpu")).looks[:, EMOTIONS.index(Emotion.SADNESS)]
    wider = (looks[:, 54, 0] - looks[:, 48, 0]) / 2
    lowered = looks[:, CORNERS, 1].mean(dim=1)
    assert float(lowered.min()) > 0.05
    assert bool((lowered > wider).all())
