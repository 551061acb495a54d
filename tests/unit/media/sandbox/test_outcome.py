import signal

import numpy as np
import pytest

from media.errors import (
    AudioSilent,
    AudioTooDemanding,
    AudioUnreadable,
    DecoderUnavailable,
    MediaError,
    PortraitTooDemanding,
    PortraitUnreadable,
)
from media.sandbox.confinement import Limits
from media.sandbox.messages import (
    NOT_CONFINED,
    OUT_OF_MEMORY,
    OVERDUE,
    AnswerGarbled,
    Medium,
    Refusal,
)
from media.sandbox.outcome import interpret

LIMITS = Limits(memory=1, cpu_seconds=7, seconds=9)
IMAGE = np.zeros((64, 64, 3), np.uint8)

Answer = np.ndarray | Refusal | AnswerGarbled


def verdict(medium: Medium, answer: Answer, ending: int) -> MediaError:
    with pytest.raises(MediaError) as told:
        interpret(medium, answer, ending, LIMITS)
    return told.value


def test_decoded_data_is_returned() -> None:
    assert interpret(Medium.PORTRAIT, IMAGE, 0, LIMITS) is IMAGE


def test_a_refusal_becomes_the_error_with_its_code() -> None:
    error = verdict(Medium.AUDIO, Refusal("audio_silent", "Not a sound."), 0)
    assert isinstance(error, AudioSilent)
    assert str(error) == "Not a sound."


@pytest.mark.parametrize(
    ("answer", "ending", "told"),
    [
        (AnswerGarbled(), OVERDUE, "longer than 9 s"),
        (AnswerGarbled(), -signal.SIGXCPU, "more than 7 s of CPU time"),
        (AnswerGarbled(), -signal.SIGKILL, "more memory than allowed for one file"),
        (Refusal(OUT_OF_MEMORY, ""), 0, "more memory than allowed for one file"),
        # A process that responds but does not exit has failed too.
        (IMAGE, OVERDUE, "longer than 9 s"),
    ],
)
def test_exceeded_limits_are_too_demanding(answer: Answer, ending: int, told: str) -> None:
    portrait = verdict(Medium.PORTRAIT, answer, ending)
    assert isinstance(portrait, PortraitTooDemanding)
    assert str(portrait) == f"Decoding the picture took {told}."
    audio = verdict(Medium.AUDIO, answer, ending)
    assert isinstance(audio, AudioTooDemanding)
    assert str(audio) == f"Decoding the recording took {told}."


@pytest.mark.parametrize(
    ("answer", "ending"),
    [
        (AnswerGarbled("cut short"), 0),
        (AnswerGarbled("cut short"), -signal.SIGSEGV),
        (IMAGE, 1),
        (Refusal("internal_error", "Ours."), 0),
        (Refusal("TypeError", "TypeError('no such thing')"), 0),
        (Refusal("audio_silent", "Not a sound."), 1),
    ],
)
def test_any_other_outcome_is_logged_and_makes_the_file_unreadable(
    answer: Answer, ending: int, caplog: pytest.LogCaptureFixture
) -> None:
    assert isinstance(verdict(Medium.PORTRAIT, answer, ending), PortraitUnreadable)
    assert isinstance(verdict(Medium.AUDIO, answer, ending), AudioUnreadable)
    assert len(caplog.records) == 2


def test_an_error_of_the_other_medium_is_not_passed_on() -> None:
    error = verdict(Medium.PORTRAIT, Refusal("audio_silent", "Not a sound."), 0)
    assert isinstance(error, PortraitUnreadable)


def test_a_file_that_was_not_decoded_is_not_rejected() -> None:
    with pytest.raises(DecoderUnavailable):
        interpret(Medium.PORTRAIT, AnswerGarbled(), NOT_CONFINED, LIMITS)
