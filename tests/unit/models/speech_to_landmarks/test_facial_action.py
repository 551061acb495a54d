import torch

from media.emotions import EMOTIONS, Emotion
from models.speech_to_landmarks.facial_action import BROADEST, FacialAction, hold_strength

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


def test_happiness_raises_the_corners_and_not_the_whole_mouth() -> None:
    looks = FacialAction.load(torch.device("cpu")).looks[:, EMOTIONS.index(Emotion.HAPPINESS), :, 1]
    assert float(looks[:, CORNERS].max()) < -0.12
    assert float(looks[:, MIDDLE].min()) > -0.05


def test_anger_knits_the_brows_and_draws_the_mouth_down_at_its_corners() -> None:
    looks = FacialAction.load(torch.device("cpu")).looks[:, EMOTIONS.index(Emotion.ANGER)]
    assert float(looks[:, [21, 22], 1].min()) > 0.1
    assert bool((looks[:, 22, 0] < looks[:, 21, 0]).all())
    assert bool((looks[:, CORNERS, 1].mean(dim=1) > looks[:, MIDDLE, 1].mean(dim=1) + 0.05).all())


def test_no_look_passes_the_broadest_and_weaker_ones_are_shown_as_asked() -> None:
    asked = torch.tensor([0.0, 0.5, 1.0, 1.2, 2.0, 9.0])
    held = hold_strength(asked)
    torch.testing.assert_close(held[:3], asked[:3])
    assert bool((held.diff() > 0.0).all())
    assert 1.0 < float(held[3]) < 1.2
    assert float(held[-1]) <= BROADEST
