import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.processes import child_process
from workers.synthesis.health import (
    LONGEST_HEARTBEAT_AGE,
    MAX_MISSED_CHECKS,
    Watch,
    is_running_child,
    main,
    start_pulse,
    unresponsive_processes,
)
from workers.synthesis.run_directory import RunDirectory


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
    assert str(ending.value).startswith("No recent heartbeat: child")


def test_a_worker_is_healthy_when_both_processes_send_heartbeats(directory: RunDirectory) -> None:
    directory.beat("parent")
    directory.beat("child")
    with pytest.raises(SystemExit) as ending:
        main()
    assert ending.value.code == 0


def test_a_process_without_heartbeats_is_named(directory: RunDirectory) -> None:
    directory.beat("parent")
    directory.beat("child")
    past = time.time() - LONGEST_HEARTBEAT_AGE - 1
    os.utime(directory.path / "parent", (past, past))
    assert unresponsive_processes(directory) == ["parent"]


def test_the_pulse_beats_at_once() -> None:
    beaten = threading.Event()
    start_pulse(beaten.set, 60)
    assert beaten.wait(10)


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with child_process(["sleep", "60"]) as process:
        yield process


def beat_of(directory: RunDirectory, process: subprocess.Popen[bytes], when: float) -> None:
    (directory.path / "child").write_text(str(process.pid))
    os.utime(directory.path / "child", (when, when))


def test_a_child_without_a_heartbeat_for_some_checks_is_killed(
    directory: RunDirectory, sleeper: subprocess.Popen[bytes]
) -> None:
    beat_of(directory, sleeper, 1000)
    watch = Watch(directory)
    for _ in range(MAX_MISSED_CHECKS):
        watch.check()
        assert sleeper.poll() is None
    watch.check()
    assert sleeper.wait(10) == -signal.SIGKILL


def test_a_child_with_heartbeats_is_left_alone_whatever_the_clock_says(
    directory: RunDirectory, sleeper: subprocess.Popen[bytes]
) -> None:
    watch = Watch(directory)
    for check in range(3 * MAX_MISSED_CHECKS):
        if check % MAX_MISSED_CHECKS == 0:
            beat_of(directory, sleeper, 1e9 - 3600 * check)
        watch.check()
    assert sleeper.poll() is None


def test_only_a_running_child_of_this_process_is_killed() -> None:
    dead = subprocess.Popen(["true"])
    dead.wait()
    assert not is_running_child(dead.pid)
    assert not is_running_child(os.getppid())
    assert not is_running_child(os.getpid())
