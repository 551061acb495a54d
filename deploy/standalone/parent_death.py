"""Makes programs die with the process that started them, whatever ends it.

Two small programs, run by file name so that they start within milliseconds:

    parent_death.py run PARENT COMMAND...   becomes COMMAND, killed by Linux when PARENT dies
    parent_death.py guard                   kills the registered process groups when its input ends

The first protects a program from its first instruction on, on Linux only. The second also covers
the program's own children, on every POSIX system: its input is a pipe that only the supervisor
holds open, so that even a SIGKILL of the supervisor closes it.
"""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Self

PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


def tied_to_me(command: Iterable[str]) -> list[str]:
    """Return the command that runs `command` and dies with this process (on Linux).

    Linux monitors the thread that starts the command, not the process: start it in a thread that
    lives as long as the command.
    """
    return [*_this_file(), "run", str(os.getpid()), *command]


class Guard:
    """A process that briefly outlives this one and kills its remaining descendants.

    It inherits the descriptors in `keep_open`, so that a lock on them is held until it is done.
    """

    def __init__(self, keep_open: Sequence[int] = ()) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - the command is our own
            [*_this_file(), "guard"],
            stdin=subprocess.PIPE,
            pass_fds=keep_open,
            start_new_session=True,
            bufsize=0,
        )

    def watch(self, group: int) -> None:
        """Kill this process group if this process dies."""
        self._send(group)

    def forget(self, group: int) -> None:
        """Stop monitoring a process group that has ended."""
        self._send(-group)

    def close(self) -> None:
        """Kill all registered groups and exit."""
        self._process.communicate()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _send(self, group: int) -> None:
        assert self._process.stdin is not None  # noqa: S101 - opened as a pipe above
        with contextlib.suppress(BrokenPipeError):  # the guard was killed: `run` still protects
            self._process.stdin.write(f"{group}\n".encode())


def _this_file() -> list[str]:
    return [sys.executable, "-I", "-S", str(Path(__file__).resolve())]


def die_with(parent: int) -> None:
    """Let Linux kill this process when `parent` dies, also after it has become another program."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # the parent died before the request
        sys.exit(1)


def run(parent: int, command: list[str]) -> None:
    """Become `command`, killed when `parent` dies."""
    die_with(parent)
    # A shell's background jobs ignore these signals, and children inherit that.
    for stopping in (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(stopping, signal.SIG_DFL)
    try:
        os.execvp(command[0], command)  # noqa: S606 - becoming the program is the purpose
    except OSError as error:
        sys.exit(f"{command[0]} cannot be executed: {error.strerror}")


def guard(lines: Iterable[str]) -> None:
    """Kill the registered groups when the input ends."""
    for caught in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(caught, signal.SIG_IGN)
    groups: set[int] = set()
    for line in lines:
        group = int(line)
        groups.add(group) if group > 0 else groups.discard(-group)
    for group in groups:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    if sys.argv[1] == "guard":
        guard(sys.stdin)
    else:
        run(int(sys.argv[2]), sys.argv[3:])
