import os

import pytest

from media.faces.mediapipe_setup import chatter_left_out

CHATTER = (
    b"W0000 00:00 feedback.cc:114] Feedback manager requires a model with a single signature\n"
)


def test_known_messages_are_dropped_and_all_others_pass(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with chatter_left_out():
        os.write(2, b"before\n" + CHATTER + b"after\n")
    os.write(2, b"later\n")
    assert capfd.readouterr().err == "before\nafter\nlater\n"


def test_what_was_written_before_a_failure_comes_through(
    capfd: pytest.CaptureFixture[str],
) -> None:
    def fail() -> None:
        os.write(2, b"the reason\n")
        raise RuntimeError("graph failed")

    with pytest.raises(RuntimeError, match="graph"), chatter_left_out():
        fail()
    assert capfd.readouterr().err == "the reason\n"
