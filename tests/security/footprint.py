"""The cost of a process and what it leaves behind: memory, children, files."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

SAMPLE_SECONDS = 0.02
MEBIBYTE = 1 << 20


def family(pid: int) -> list[int]:
    """Return a process and all its descendants."""
    found = [pid]
    for member in found:
        with suppress(FileNotFoundError, ProcessLookupError):
            for thread in Path(f"/proc/{member}/task").iterdir():
                found += map(int, (thread / "children").read_text().split())
    return found


def highest_memory(pid: int) -> int:
    """Return the peak memory of a process, in bytes; 0 if it has ended."""
    with suppress(FileNotFoundError, ProcessLookupError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0


def _forget_highest_memory(pid: int) -> None:
    # See proc(5). Otherwise, a process that lives long would count with what it once needed.
    with suppress(FileNotFoundError, ProcessLookupError):
        Path(f"/proc/{pid}/clear_refs").write_text("5")


@dataclass
class Peak:
    """The peak memory of a process and its descendants, in bytes.

    The peaks of processes alive at the same time are summed, which is an upper bound of their
    common peak.
    """

    bytes: int = 0


@contextmanager
def measured(pid: int) -> Iterator[Peak]:
    """Monitor a process and its descendants within the context."""
    for member in family(pid):
        _forget_highest_memory(member)
    peak = Peak()
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(SAMPLE_SECONDS):
            peak.bytes = max(peak.bytes, sum(map(highest_memory, family(pid))))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield peak
    finally:
        ended.set()
        thread.join()
