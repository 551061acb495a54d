"""Looks at processes from outside."""

import os
from pathlib import Path


def living(group: int) -> list[int]:
    """Return the processes of a group that run; one that only waits to be reaped does not."""
    return [pid for pid, (state, pgrp) in _processes().items() if pgrp == group and state != "Z"]


def mentioning(text: str) -> list[int]:
    """Return the other processes that name `text` in their arguments."""
    return [
        pid
        for pid, (state, _) in _processes().items()
        if state != "Z" and pid != os.getpid() and text in _arguments(pid)
    ]


def _processes() -> dict[int, tuple[str, int]]:
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue  # it ended while we looked
            found[int(entry.name)] = (fields[0], int(fields[2]))
    return found


def _arguments(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""
