import numpy as np
import torch

from models.speech_to_landmarks.pauses import BRIDGED, EDGE, FADED, HELD, RETURNING, Pauses

REST = torch.tensor([1.0, 0.0])


def voice(*runs: tuple[int, int]) -> np.ndarray:
    """Return probabilities of pieces, each `(frames, spoken)`."""
    return np.concatenate([np.full(frames, spoken, np.float32) for frames, spoken in runs])


def test_the_emotion_of_speech_is_unchanged() -> None:
    heard = torch.rand(50, 2)
    torch.testing.assert_close(Pauses.of(voice((50, 1))).carry(heard, REST), heard)


def test_a_short_pause_leads_from_one_emotion_to_the_next() -> None:
    heard = torch.zeros(2 * EDGE + BRIDGED, 2)
    heard[EDGE + BRIDGED :] = 1.0
    heard[EDGE : EDGE + BRIDGED] = 9.0
    carried = Pauses.of(voice((EDGE, 1), (BRIDGED, 0), (EDGE, 1))).carry(heard, REST)
    pause = carried[EDGE : EDGE + BRIDGED, 1]
    assert bool((pause.diff() > 0).all())
    assert 0 < float(pause[0]) < float(pause[-1]) < 1


def test_a_long_pause_holds_fades_and_comes_back_before_speech() -> None:
    pauses = Pauses.of(voice((30, 1), (200, 0), (30, 1)))
    hold = pauses.hold[30:230]
    assert hold[: HELD + 1].min() == 1
    assert hold[FADED : 200 - RETURNING].max() == 0
    assert hold[-1] > 0.9
    assert (np.diff(hold[:FADED]) <= 0).all()
    assert np.abs(np.diff(pauses.hold)).max() < 0.11


def test_without_speech_there_is_no_emotion() -> None:
    for frames in (1, 10, 300):
        carried = Pauses.of(voice((frames, 0))).carry(torch.rand(frames, 2), REST)
        torch.testing.assert_close(carried, REST.expand(frames, 2))


def test_a_click_is_not_speech() -> None:
    pauses = Pauses.of(voice((100, 0), (2, 1), (100, 0)))
    assert not pauses.spoken.any()
    assert pauses.hold.max() == 0


def test_the_whole_recording_is_what_is_heard_outside_of_long_pauses() -> None:
    heard = torch.zeros(330, 2)
    heard[:, 0], heard[30:300, 1] = 1.0, 1.0
    overall = Pauses.of(voice((30, 1), (270, 0), (30, 1))).overall(heard, REST)
    assert float(overall[0]) == 1
    assert 0 < float(overall[1]) < 0.5
    short = Pauses.of(voice((30, 1), (BRIDGED, 0), (30, 1))).overall(heard[: 60 + BRIDGED], REST)
    assert float(short[1]) == float(heard[: 60 + BRIDGED, 1].mean())


def test_a_silent_recording_is_at_rest() -> None:
    overall = Pauses.of(voice((100, 0))).overall(torch.full((100, 2), 0.5), REST)
    torch.testing.assert_close(overall, REST)
