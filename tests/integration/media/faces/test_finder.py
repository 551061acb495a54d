"""The face detector in its process."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from media.errors import DetectorMissing, DetectorTooSlow, DetectorUnavailable
from media.faces import finder as finding
from media.faces.finder import FaceFinder
from tests.processes import child_process, children, is_alive
from tests.service_examples import animation, portrait
from tests.waiting import PATIENCE, wait_for

EXAMPLE = (Path(__file__).parents[4] / "examples" / "portrait.jpg").read_bytes()
SERVER = b"media.faces.server"
PROGRAM = """
import sys, time
from media.faces.finder import FaceFinder
finder = FaceFinder(answer_seconds=float(sys.argv[1]))
finder.inspect(b"no picture")
print("asked", flush=True)
time.sleep(600)
"""


@pytest.fixture(scope="module")
def finder() -> Iterator[FaceFinder]:
    with FaceFinder(answer_seconds=PATIENCE) as finder:
        yield finder


def the_server(parent: int) -> int:
    [server] = children(parent, SERVER)
    return server


def test_a_face_is_found_in_an_untrusted_file(finder: FaceFinder) -> None:
    found = finder.inspect(EXAMPLE)
    assert found.refusal is None
    assert found.speaker == 1
    [face] = found.faces or ()
    assert face.interocular > 24
    assert 0 < face.box.left < face.box.left + face.box.width < (found.width or 0)


@pytest.mark.parametrize(
    ("file", "code", "words"),
    [
        (portrait(), "no_face", "seen from the front"),
        (animation(), "no_face", "an animated PNG picture"),
        (b"no picture", "portrait_unreadable", "damaged"),
    ],
)
def test_an_unusable_picture_is_refused(
    finder: FaceFinder, file: bytes, code: str, words: str
) -> None:
    found = finder.inspect(file)
    assert found.refusal
    assert found.refusal.code == code
    assert words in found.refusal.message


def test_a_process_that_ended_is_replaced(finder: FaceFinder) -> None:
    finder.inspect(b"no picture")
    lost = the_server(os.getpid())
    os.kill(lost, signal.SIGKILL)
    wait_for(lambda: not children(os.getpid(), SERVER))
    finder.inspect(b"no picture")
    assert the_server(os.getpid()) != lost


def test_a_process_that_does_not_answer_in_time_is_stopped() -> None:
    with FaceFinder(answer_seconds=0.01) as finder, pytest.raises(DetectorTooSlow):
        finder.inspect(EXAMPLE)
    with pytest.raises(DetectorUnavailable):
        FaceFinder(module="media.errors", answer_seconds=PATIENCE).inspect(EXAMPLE)


def test_without_mediapipe_no_process_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finding, "find_spec", lambda name: None)
    with pytest.raises(DetectorMissing):
        FaceFinder(module="nowhere").inspect(EXAMPLE)


def test_the_process_ends_with_its_parent() -> None:
    command = [sys.executable, "-c", PROGRAM, str(PATIENCE)]
    with child_process(command, stdout=subprocess.PIPE) as parent:
        assert parent.stdout
        assert parent.stdout.readline() == b"asked\n"
        server = the_server(parent.pid)
        parent.kill()
    wait_for(lambda: not is_alive(server))
