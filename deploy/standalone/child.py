"""A program run as a child process: command, log, readiness, and how it stops."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Self

from deploy.standalone.errors import StartFailed
from deploy.standalone.parent_death import Guard, tied_to_me

POLL_SECONDS = 0.05


@dataclass(frozen=True)
class Program:
    """What to run, and how to detect that it is ready.

    Attributes:
        name: the name shown to users.
        command: the program and its arguments.
        log: the file for its output; the previous run's output has the suffix `.1`.
        is_ready: a probe that returns within a second and raises nothing.
        env: variables added to those of this process.
        start_seconds: time limit for becoming ready.
        stop_signal: the signal that asks it to stop.
        stop_seconds: time limit for stopping, after which it is killed.
        pool: whether it is one of several like it, whose number may change while the system runs.
        leftovers: files it may leave behind, removed before its start and after its end.
    """

    name: str
    command: tuple[str, ...]
    log: Path
    is_ready: Callable[[], bool]
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    start_seconds: float = 120.0
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: float = 10.0
    pool: bool = False
    leftovers: tuple[Path, ...] = ()


class Child:
    """A running program in its own process group, which dies with this process."""

    def __init__(self, program: Program, guard: Guard | None = None) -> None:
        self.program = program
        self._guard = guard
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process id; None before the start and after the end."""
        return self._process.pid if self._process else None

    @property
    def is_running(self) -> bool:
        """Whether the program was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start the program without waiting for it."""
        self._clear_leftovers()
        with self._fresh_log() as log:
            self._process = subprocess.Popen(  # noqa: S603 - the command is our own
                tied_to_me(self.program.command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self.program.env},
                start_new_session=True,
            )
        if self._guard:
            self._guard.watch(self._process.pid)

    def check_ready(self, age: float) -> bool:
        """Return whether the program, started `age` seconds ago, is ready.

        Raises:
            StartFailed: it ended, or was not ready in time.
        """
        if self.program.is_ready():
            return True
        if not self.is_running:
            raise StartFailed(self.program.name, self.exit_reason(), self.program.log)
        if age > self.program.start_seconds:
            reason = f"was not ready after {self.program.start_seconds:.0f} s"
            raise StartFailed(self.program.name, reason, self.program.log)
        return False

    def wait_ready(self) -> None:
        """Wait until the program is ready.

        Raises:
            StartFailed: it ended, or was not ready in time.
        """
        began = time.monotonic()
        while not self.check_ready(time.monotonic() - began):
            time.sleep(POLL_SECONDS)

    def exit_reason(self) -> str:
        """Return how the program ended, as the rest of a sentence after its name."""
        code = self._process.poll() if self._process else None
        if code is not None and code < 0:
            return f"was terminated by {signal.Signals(-code).name}"
        return f"exited with status {code}"

    def ask_to_stop(self) -> None:
        """Send the stop signal, without waiting."""
        if self._process is not None and self.is_running:
            self._process.send_signal(self.program.stop_signal)

    def await_end(self) -> None:
        """Wait for a child that was asked to stop; kill it after its time limit."""
        if self._process is not None:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(self.program.stop_seconds)
        self.clean_up()

    def stop(self) -> None:
        """Ask the program to stop, wait, and kill the rest of its process group."""
        self.ask_to_stop()
        self.await_end()

    def clean_up(self) -> None:
        """Kill the rest of the process group and remove the program's leftover files."""
        if self._process is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        if self._guard:
            self._guard.forget(self._process.pid)
        self._clear_leftovers()
        self._process = None  # its number may be reused from now on

    def __enter__(self) -> Self:
        self.start()
        try:
            self.wait_ready()
        except BaseException:
            self.clean_up()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def _fresh_log(self) -> BinaryIO:
        log = self.program.log
        log.parent.mkdir(parents=True, exist_ok=True)
        if log.exists():
            log.replace(log.with_name(f"{log.name}.1"))
        return log.open("wb")

    def _clear_leftovers(self) -> None:
        for path in self.program.leftovers:
            path.unlink(missing_ok=True)
