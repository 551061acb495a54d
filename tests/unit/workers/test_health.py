import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from workers.health import LONGEST_SILENCE, main, silent_processes, start_pulse
from workers.run_directory import RunDirectory


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunDirectory]:
    monkeypatch.setenv("AMIGO_RUN_DIRECTORY", str(tmp_path / "run"))
    directory = RunDirectory(tmp_path / "run")
    with directory.taken():
        yield directory


def test_a_worker_that_starts_is_not_yet_healthy(directory: RunDirectory) -> None:
    directory.beat("parent")
    with pytest.raises(SystemExit) as ending:
        main()
    assert str(ending.value).startswith("Silent: child")


def test_a_worker_is_healthy_when_both_processes_are_heard(directory: RunDirectory) -> None:
    directory.beat("parent")
    directory.beat("child")
    with pytest.raises(SystemExit) as ending:
        main()
    assert ending.value.code == 0


def test_a_process_that_fell_silent_is_named(directory: RunDirectory) -> None:
    directory.beat("parent")
    directory.beat("child")
    past = time.time() - LONGEST_SILENCE - 1
    os.utime(directory.path / "parent", (past, past))
    assert silent_processes(directory) == ["parent"]


def test_the_pulse_beats_at_once() -> None:
    beaten = threading.Event()
    start_pulse(beaten.set)
    assert beaten.wait(10)
