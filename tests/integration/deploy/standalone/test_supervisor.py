"""Start order, restarts and failures of supervised programs."""

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from deploy.standalone import supervisor as module
from deploy.standalone.child import Program
from deploy.standalone.errors import StartFailed
from deploy.standalone.parent_death import Guard
from deploy.standalone.supervisor import ManagedProcess, Supervisor
from tests.integration.deploy.standalone.watching import living
from tests.interruptions import ends, interrupted
from tests.waiting import wait_for

# Prints "up" when it is running, and writes its start and stop into the shared journal.
SCRIPT = (
    "trap 'echo -{0} >> {1}; exit' TERM; echo +{0} >> {1}; echo up; while :; do sleep 0.05; done"
)


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "journal"


@pytest.fixture
def guard() -> Iterator[Guard]:
    with Guard() as guard:
        yield guard


def program(name: str, journal: Path) -> Program:
    log = journal.parent / f"{name}.log"
    return Program(
        name=name,
        command=("bash", "-c", SCRIPT.format(name, journal)),
        log=log,
        is_ready=lambda: log.read_text() == "up\n",
    )


def interrupt() -> None:
    raise KeyboardInterrupt


def ignore(_: object) -> None:
    """Ignore messages."""


def test_programs_start_tier_by_tier_and_stop_in_reverse(journal: Path, guard: Guard) -> None:
    tiers = [[program(name, journal)] for name in ("a", "b", "c")]
    supervisor = Supervisor(tiers, guard, ignore, ignore)
    supervisor.start()
    supervisor.stop()
    assert journal.read_text().split() == ["+a", "+b", "+c", "-c", "-b", "-a"]


def test_a_program_that_dies_is_started_again(journal: Path, guard: Guard) -> None:
    said: list[str] = []
    supervisor = Supervisor([[program("a", journal)]], guard, said.append, ignore)
    supervisor.start()
    process = supervisor.processes[0]
    first = process.child.pid
    assert first
    os.kill(first, signal.SIGKILL)
    wait_for(lambda: process.restarts == 1 and process.is_ready)
    assert process.child.pid != first
    assert any("a was terminated by SIGKILL" in line for line in said)
    supervisor.stop()
    assert journal.read_text().split() == ["+a", "+a", "-a"]


def test_the_pause_before_another_start_grows(
    journal: Path, guard: Guard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FIRST_DELAY", 0.1)
    said: list[str] = []
    supervisor = Supervisor([[program("a", journal)]], guard, said.append, ignore)
    supervisor.start()
    process = supervisor.processes[0]
    for restarts in range(3):
        wait_for(lambda: process.restarts == restarts and process.is_ready)  # noqa: B023
        assert process.child.pid
        os.kill(process.child.pid, signal.SIGKILL)
    wait_for(lambda: process.restarts == 3)
    supervisor.stop()
    pauses = [line.rpartition(" in ")[2] for line in said if "Restarting" in line]
    assert pauses == ["0.1 s.", "0.2 s.", "0.4 s."]


def test_a_program_that_cannot_start_stops_the_others(journal: Path, guard: Guard) -> None:
    bad = replace(
        program("bad", journal), command=("sh", "-c", "echo broken; exit 1"), is_ready=lambda: False
    )
    supervisor = Supervisor([[program("a", journal)], [bad]], guard, ignore, ignore)
    with pytest.raises(StartFailed, match=r"(?s)bad exited with status 1.*broken"):
        supervisor.start()
    assert journal.read_text().split() == ["+a", "-a"]


def test_every_change_is_reported(journal: Path, guard: Guard) -> None:
    seen: list[tuple[bool, int]] = []

    def note(processes: Sequence[ManagedProcess]) -> None:
        seen.append((processes[0].is_ready, processes[0].restarts))

    supervisor = Supervisor([[program("a", journal)]], guard, ignore, note)
    supervisor.start()
    assert supervisor.processes[0].child.pid
    os.kill(supervisor.processes[0].child.pid, signal.SIGKILL)
    wait_for(lambda: (True, 1) in seen)
    supervisor.stop()
    assert list(dict.fromkeys(seen)) == [(False, 0), (True, 0), (False, 1), (True, 1)]


def test_an_error_of_the_supervisor_itself_stops_everything_and_is_raised(
    journal: Path, guard: Guard
) -> None:
    def note(processes: Sequence[ManagedProcess]) -> None:
        if processes[0].is_ready:
            raise OSError("disk full")

    supervisor = Supervisor([[program("a", journal)]], guard, ignore, note)
    with pytest.raises(OSError, match="disk full"):
        supervisor.start()
    assert journal.read_text().split() == ["+a", "-a"]
    assert not [
        pid for process in supervisor.processes if (pid := process.child.pid) and living(pid)
    ]


@pytest.mark.parametrize("point", range(30))
def test_it_can_be_stopped_wherever_a_signal_interrupted_its_start(
    point: int, guard: Guard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "POLL_SECONDS", 0.001)
    supervisor = Supervisor([], guard, ignore, ignore)

    def start_and_stop() -> None:
        with suppress(KeyboardInterrupt):
            interrupted(supervisor.start, point, interrupt)
        supervisor.stop()

    assert ends(start_and_stop)
