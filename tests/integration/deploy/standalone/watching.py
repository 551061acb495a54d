"""Observes processes from outside."""

import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_ENDED = (FileNotFoundError, ProcessLookupError)
"""What reading of a process raises that has ended in the meantime."""


def living(group: int) -> list[int]:
    """Return the running processes of a group, without zombies."""
    return [pid for pid, (state, pgrp) in _processes().items() if pgrp == group and state != "Z"]


def name_of(pid: int) -> str:
    """Return the name of the program of a process; empty if it has ended."""
    return _read(pid, "comm").strip()


def arguments_of(pid: int) -> str:
    """Return the command line of a process; empty if it has ended."""
    return _read(pid, "cmdline")


def _read(pid: int, name: str) -> str:
    with suppress(*_ENDED):
        return Path(f"/proc/{pid}/{name}").read_text()
    return ""


def _processes() -> dict[int, tuple[str, int]]:
    found = {}
    for pid in (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()):
        if fields := _read(pid, "stat").rpartition(")")[2].split():
            found[pid] = (fields[0], int(fields[2]))
    return found


def listening_addresses(pids: list[int]) -> set[str]:
    """Return the addresses on which these processes accept TCP connections."""
    inodes = {inode for pid in pids for inode in _socket_inodes(pid)}
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == _LISTEN and fields[9] in inodes:
                found.add(_address(fields[1].partition(":")[0]))
    return found


_LISTEN = "0A"  # <net/tcp_states.h>


def _socket_inodes(pid: int) -> Iterator[str]:
    with suppress(*_ENDED):
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(FileNotFoundError):  # closed in the meantime
                target = str(descriptor.readlink())
                if target.startswith("socket:["):
                    yield target[len("socket:[") : -1]


def _address(hexadecimal: str) -> str:
    """Return the address that the kernel writes as 32-bit words in this machine's byte order."""
    family = socket.AF_INET if len(hexadecimal) == 8 else socket.AF_INET6
    words = bytes.fromhex(hexadecimal)
    swapped = b"".join(words[i : i + 4][::-1] for i in range(0, len(words), 4))
    return socket.inet_ntop(family, swapped)
