"""Runs several commands as one program: each once its predecessor listens, all until one ends.

    python -m deploy.standalone.chain PORT COMMAND... -- PORT COMMAND...

A command starts as soon as something listens on its port on loopback; port 0 is always ready. They
share this process's output and process group. Whatever ends this process kills them too, on Linux
at once, elsewhere when `Child` or its guard kills the group.
"""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from functools import partial
from itertools import pairwise

from deploy.standalone.parent_death import die_with

SEPARATOR = "--"
POLL_SECONDS = 0.02


def chained(links: Iterable[tuple[int, Sequence[str]]]) -> tuple[str, ...]:
    """Return the command that runs these commands, each with the port that it waits for."""
    words = (word for port, command in links for word in (SEPARATOR, str(port), *command))
    return (sys.executable, "-m", "deploy.standalone.chain", *words)


def run(words: Sequence[str]) -> str:
    """Run commands until one ends; return which one and how, as a sentence."""
    processes: dict[int, str] = {}
    tie = partial(die_with, os.getpid())
    for port, command in _links(words):
        while not _listens(port):
            if ended := _ended(processes, os.WNOHANG):
                return ended
            time.sleep(POLL_SECONDS)
        process = subprocess.Popen(command, preexec_fn=tie)  # noqa: S603 - the commands are our own
        processes[process.pid] = " ".join(command[:3])
    return _ended(processes) or ""


def _links(words: Sequence[str]) -> Iterable[tuple[int, list[str]]]:
    ends = [place for place, word in enumerate(words) if word == SEPARATOR] + [len(words)]
    for start, end in pairwise(ends):
        yield int(words[start + 1]), list(words[start + 2 : end])


def _listens(port: int) -> bool:
    if port == 0:
        return True
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _ended(processes: dict[int, str], options: int = 0) -> str | None:
    if not processes:
        return None
    pid, status = os.waitpid(-1, options)
    return (
        f"{processes[pid]} ended with status {os.waitstatus_to_exitcode(status)}" if pid else None
    )


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
