"""The landmark detector in a process of its own."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest

from media.errors import DetectorUnavailable
from media.faces.detector_process import DetectorProcess
from media.faces.landmarks import LandmarkDetector
from media.picture import read_portrait
from tests.integration.media.faces.test_finder import EXAMPLE
from tests.processes import child_process, children, is_alive
from tests.waiting import wait_for

SERVER = b"media.faces.detector_process"
PROGRAM = """
import time
from media.faces.detector_process import DetectorProcess
detector = DetectorProcess()
print("started", flush=True)
time.sleep(600)
"""


@pytest.fixture
def detector() -> Iterator[DetectorProcess]:
    with DetectorProcess() as detector:
        yield detector


def test_it_finds_the_same_as_a_detector_in_this_process(detector: DetectorProcess) -> None:
    picture = read_portrait(EXAMPLE)
    crop = np.ascontiguousarray(picture[:256, :256])
    with LandmarkDetector() as ours:
        expected, silhouette = ours.detect(picture), ours.silhouette(crop)
    found = detector.detect(picture)
    assert len(found) == len(expected) == 1
    np.testing.assert_allclose(found[0], expected[0], atol=0.01)
    assert detector.detect(np.zeros_like(picture)) == []
    np.testing.assert_allclose(detector.silhouette(crop), silhouette, atol=0.01)


def test_a_picture_that_was_searched_is_not_searched_again(detector: DetectorProcess) -> None:
    picture = read_portrait(EXAMPLE)
    found = detector.detect(picture)
    [server] = children(os.getpid(), SERVER)
    os.kill(server, signal.SIGKILL)
    assert detector.detect(picture) is found
    with pytest.raises(DetectorUnavailable):
        detector.detect(picture.copy())


def test_the_process_ends_with_the_one_that_started_it() -> None:
    with child_process([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE) as program:
        assert program.stdout
        assert program.stdout.readline() == b"started\n"
        # A process that has just been started has no command line for a moment.
        [server] = wait_for(lambda: children(program.pid, SERVER))
        program.kill()
    wait_for(lambda: not is_alive(server))
