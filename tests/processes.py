"""Our own programs as real processes: started with given settings, their output recorded."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.standalone.processes import LOOPBACK, free_port, responds
from tests.waiting import PATIENCE, wait_for

LOG_CHARACTERS = 4000


@dataclass(frozen=True)
class Running:
    """One of our processes, and what can be observed from outside."""

    process: subprocess.Popen[bytes]
    path: Path

    @property
    def log(self) -> str:
        return self.path.read_text(errors="replace")

    def wait_for_log(self, text: str) -> None:
        def found() -> bool:
            assert self.process.poll() is None, self.log
            return text in self.log

        wait_for(found)


@contextmanager
def child_process(command: Sequence[str], **options: Any) -> Iterator[subprocess.Popen[Any]]:
    """Run a command within the context, and kill it at the end: `Popen` alone would wait for it.

    Args:
        command: Program and arguments.
        options: What else `Popen` takes.
    """
    with subprocess.Popen(command, **options) as process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def running(module: str, environment: Mapping[str, str], log: Path) -> Iterator[Running]:
    """Run `python -m module` within the context."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", module],
            env={**os.environ, **environment},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield Running(process, log)
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE)
        finally:
            process.kill()


@dataclass(frozen=True)
class RunningService(Running):
    """`python -m service` on a loopback port."""

    port: int

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    def is_alive(self) -> bool:
        assert self.process.poll() is None, self.log
        return responds(f"{self.url}/livez")


@contextmanager
def running_service(environment: Mapping[str, str], log: Path) -> Iterator[RunningService]:
    """Run the service within the context, which starts when it responds."""
    port = free_port()
    with running("service", {**environment, "AMIGO_LISTEN_PORT": str(port)}, log) as started:
        service = RunningService(started.process, started.path, port)
        wait_for(service.is_alive)
        yield service


def children(parent: int, command: bytes = b"") -> set[int]:
    """Return the children of a process whose command contains the given words."""
    tasks = Path(f"/proc/{parent}/task").iterdir()
    pids = {int(pid) for task in tasks for pid in (task / "children").read_text().split()}
    return {pid for pid in pids if command in Path(f"/proc/{pid}/cmdline").read_bytes()}


def is_alive(pid: int) -> bool:
    """Return whether a process is running; zombies are not."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def end_of(log: Path) -> str:
    """Return the end of a log, for the report of a failure."""
    return log.read_text(errors="replace")[-LOG_CHARACTERS:]
