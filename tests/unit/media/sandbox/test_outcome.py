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
    Failure,
    Medium,
    ResponseInvalid,
)
from media.sandbox.outcome import interpret

LIMITS = Limits(memory=1, cpu_seconds=7, seconds=9)
IMAGE = np.zeros((64, 64, 3), np.uint8)

Response = np.ndarray | Failure | ResponseInvalid


def error_of(medium: Medium, response: Response, ending: int) -> MediaError:
    with pytest.raises(MediaError) as raised:
        interpret(medium, response, ending, LIMITS)
    return raised.value


def test_decoded_data_is_returned() -> None:
    assert interpret(Medium.PORTRAIT, IMAGE, 0, LIMITS) is IMAGE


def test_a_failure_is_raised_as_the_error_with_its_code() -> None:
    error = error_of(Medium.AUDIO, Failure("audio_silent", "Not a sound."), 0)
    assert isinstance(error, AudioSilent)
    assert str(error) == "Not a sound."


@pytest.mark.parametrize(
    ("response", "ending", "excess"),
    [
        (ResponseInvalid(), OVERDUE, "longer than 9 s"),
        (ResponseInvalid(), -signal.SIGXCPU, "more than 7 s of CPU time"),
        (ResponseInvalid(), -signal.SIGKILL, "more memory than allowed for one file"),
        (Failure(OUT_OF_MEMORY, ""), 0, "more memory than allowed for one file"),
        # A process that responds but does not exit has failed too.
        (IMAGE, OVERDUE, "longer than 9 s"),
    ],
)
def test_exceeded_limits_are_too_demanding(response: Response, ending: int, excess: str) -> None:
    portrait = error_of(Medium.PORTRAIT, response, ending)
    assert isinstance(portrait, PortraitTooDemanding)
    assert str(portrait) == f"Decoding the picture took {excess}."
    audio = error_of(Medium.AUDIO, response, ending)
    assert isinstance(audio, AudioTooDemanding)
    assert str(audio) == f"Decoding the recording took {excess}."


@pytest.mark.parametrize(
    ("response", "ending"),
    [
        (ResponseInvalid("cut short"), 0),
        (ResponseInvalid("cut short"), -signal.SIGSEGV),
        (IMAGE, 1),
        (Failure("internal_error", "Ours."), 0),
        (Failure("TypeError", "TypeError('no such thing')"), 0),
        (Failure("audio_silent", "Not a sound."), 1),
    ],
)
def test_any_other_outcome_is_logged_and_makes_the_file_unreadable(
    response: Response, ending: int, caplog: pytest.LogCaptureFixture
) -> None:
    assert isinstance(error_of(Medium.PORTRAIT, response, ending), PortraitUnreadable)
    assert isinstance(error_of(Medium.AUDIO, response, ending), AudioUnreadable)
    assert len(caplog.records) == 2


def test_an_error_of_the_other_medium_is_not_passed_on() -> None:
    error = error_of(Medium.PORTRAIT, Failure("audio_silent", "Not a sound."), 0)
    assert isinstance(error, PortraitUnreadable)


def test_a_file_that_was_not_decoded_is_not_rejected() -> None:
    with pytest.raises(DecoderUnavailable):
        interpret(Medium.PORTRAIT, ResponseInvalid(), NOT_CONFINED, LIMITS)
