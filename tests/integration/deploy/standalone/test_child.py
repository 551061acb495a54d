"""Start, end and cleanup of a child."""

import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from deploy.standalone.child import Child, Program
from deploy.standalone.errors import StartFailed
from tests.integration.deploy.standalone.watching import living
from tests.waiting import wait_for


@pytest.fixture
def sleeper(tmp_path: Path) -> Program:
    return Program(
        name="sleeper",
        command=("sleep", "600"),
        log=tmp_path / "logs" / "sleeper.log",
        is_ready=lambda: True,
    )


def test_a_child_stops_with_its_context(sleeper: Program) -> None:
    with Child(sleeper) as child:
        group = child.pid
        assert group
        assert child.is_running
    assert not child.is_running
    assert not living(group)


def test_a_child_that_ignores_its_signal_is_killed(sleeper: Program) -> None:
    deaf = ("sh", "-c", "trap '' TERM; echo deaf; while :; do sleep 0.1; done")
    program = replace(
        sleeper,
        command=deaf,
        is_ready=lambda: sleeper.log.read_text() == "deaf\n",
        stop_seconds=0.2,
    )
    with Child(program) as child:
        group = child.pid
        assert group
    wait_for(lambda: not living(group))


def test_descendants_of_a_child_are_killed_too(sleeper: Program) -> None:
    with Child(replace(sleeper, command=("sh", "-c", "sleep 600 & exec sleep 600"))) as child:
        group = child.pid
        assert group
        wait_for(lambda: len(living(group)) == 2)
    wait_for(lambda: not living(group))


@pytest.fixture
def deaf_to_quit() -> Iterator[None]:
    """Ignore SIGQUIT, like a shell's background jobs."""
    before = signal.signal(signal.SIGQUIT, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGQUIT, before)


@pytest.mark.usefixtures("deaf_to_quit")
def test_the_stop_signal_is_the_programs_own_even_where_we_ignore_it(sleeper: Program) -> None:
    script = "trap 'echo quit; exit' QUIT; sleep 600 & echo up; wait"
    program = replace(
        sleeper,
        command=("sh", "-c", script),
        is_ready=lambda: sleeper.log.read_text() == "up\n",
        stop_signal=signal.SIGQUIT,
    )
    with Child(program):
        pass
    assert sleeper.log.read_text() == "up\nquit\n"


def test_a_child_that_exits_early_is_reported_with_the_end_of_its_log(sleeper: Program) -> None:
    program = replace(
        sleeper,
        command=("sh", "-c", "echo no licence; exit 3"),
        is_ready=lambda: False,
    )
    with pytest.raises(StartFailed, match=r"(?s)sleeper exited with status 3.*no licence"):
        Child(program).__enter__()


def test_a_missing_command_is_an_error(sleeper: Program) -> None:
    program = replace(sleeper, command=("no-such-program",), is_ready=lambda: False)
    with pytest.raises(StartFailed, match="no-such-program cannot be executed: No such file"):
        Child(program).__enter__()


def test_a_child_that_never_becomes_ready_is_killed(sleeper: Program) -> None:
    child = Child(replace(sleeper, is_ready=lambda: False, start_seconds=0.1))
    began = time.monotonic()
    with pytest.raises(StartFailed, match="was not ready after"):
        child.__enter__()
    assert not child.is_running
    assert time.monotonic() - began < 10


def test_leftover_files_are_removed_before_and_after(sleeper: Program, tmp_path: Path) -> None:
    leftovers = tmp_path / "leftovers"
    leftovers.touch()
    with Child(replace(sleeper, leftovers=(leftovers,))):
        assert not leftovers.exists()
        leftovers.touch()
    assert not leftovers.exists()


def test_the_log_of_the_run_before_is_kept(sleeper: Program) -> None:
    for word in ("first", "second"):
        program = replace(
            sleeper,
            command=("sh", "-c", f"echo {word}; exec sleep 600"),
            is_ready=lambda word=word: sleeper.log.read_text() == f"{word}\n",  # type: ignore[misc]
        )
        with Child(program):
            pass
    assert sleeper.log.read_text() == "second\n"
    assert (sleeper.log.parent / "sleeper.log.1").read_text() == "first\n"
