"""Makes programs die with the process that started them, however it ends.

Two small programs, run by file name so that they start in a few milliseconds:

    lifeline.py run PARENT COMMAND...   becomes COMMAND, killed by Linux when PARENT is gone
    lifeline.py guard                   kills the process groups it was told of when its input ends

The first covers a program from its first instruction, on Linux only. The second also covers what
the program started itself, on every POSIX system: its input is a pipe that only the supervisor
holds open, so that even a SIGKILL of the supervisor ends it.
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

    Linux watches the thread that starts the command, not the process: start it in a thread that
    lives as long as the command should.
    """
    return [*_this_file(), "run", str(os.getpid()), *command]


class Guard:
    """A process that outlives this one for a moment, to kill what it left behind.

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
        """Kill this process group should this process die."""
        self._tell(group)

    def forget(self, group: int) -> None:
        """Leave this process group alone: it ended."""
        self._tell(-group)

    def close(self) -> None:
        """Kill every group still watched and end."""
        self._process.communicate()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _tell(self, group: int) -> None:
        assert self._process.stdin is not None  # noqa: S101 - opened as a pipe above
        with contextlib.suppress(BrokenPipeError):  # someone killed the guard: `run` still holds
            self._process.stdin.write(f"{group}\n".encode())


def _this_file() -> list[str]:
    return [sys.executable, "-I", "-S", str(Path(__file__).resolve())]


def run(parent: int, command: list[str]) -> None:
    """Become `command`, to be killed when `parent` is gone."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it died before we could ask
        sys.exit(1)
    # A shell's background jobs ignore these, and what is ignored stays so in whoever they start.
    for stopping in (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(stopping, signal.SIG_DFL)
    try:
        os.execvp(command[0], command)  # noqa: S606 - becoming the program is the purpose
    except OSError as error:
        sys.exit(f"{command[0]} cannot be run: {error.strerror}")


def guard(lines: Iterable[str]) -> None:
    """Kill the groups named and not forgotten when the lines end."""
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
