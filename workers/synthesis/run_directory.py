"""Where a worker's parent, its child and its health check meet: a folder of small files."""

import fcntl
import hashlib
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

Process = Literal["parent", "child"]
LOCK = "lock"
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - nothing is put there by us


class RunDirectoryTaken(Exception):
    """Another worker that lives uses the folder, or another user owns it."""


class RunDirectory:
    """Heartbeats, the sign to stop, scratch space and metrics of one worker.

    Files are used because the child is a fresh interpreter: all that it shares with its parent is
    the environment and the disk.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.metrics = path / "metrics"
        """Where prometheus_client keeps each process's values."""
        self.scratch = path / "scratch"
        """Where a job's files lie while it is worked on."""
        self._stop = path / "stop"
        self._broken = path / "broken"
        digest = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:12]
        self.semaphore_prefix = f"/amigo-{digest}"
        """What the names of the worker's semaphores begin with."""

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Hold the folder for this process, emptied of what an earlier worker left.

        Raises:
            RunDirectoryTaken: another worker holds it, or another user owns it.
        """
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.path.stat().st_uid != os.getuid():
            # Whoever made it first in a folder open to all could read the videos.
            raise RunDirectoryTaken(f"{self.path} belongs to another user.")
        with (self.path / LOCK).open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise RunDirectoryTaken(
                    f"{self.path} is another worker's; give each its own AMIGO_RUN_DIRECTORY."
                ) from error
            self._clear()
            yield

    def _clear(self) -> None:
        for left in self.path.iterdir():
            if left.is_dir():
                shutil.rmtree(left)
            elif left.name != LOCK:
                left.unlink()
        self.metrics.mkdir()
        self.scratch.mkdir()
        # Where Linux keeps semaphores, those of a worker that was killed included.
        for left in SHARED_MEMORY.glob(f"sem.{self.semaphore_prefix[1:]}-*"):
            left.unlink(missing_ok=True)

    def clear_scratch(self) -> None:
        """Delete what a child that was killed left behind."""
        shutil.rmtree(self.scratch, ignore_errors=True)
        self.scratch.mkdir()

    def beat(self, process: Process) -> None:
        """Say that a process, this one, is alive now."""
        (self.path / process).write_text(str(os.getpid()))

    def last_beat(self, process: Process) -> tuple[int | None, float]:
        """Return which process beat last and when, by the file; None: none did."""
        try:
            file = self.path / process
            return int(file.read_text()), file.stat().st_mtime
        except (FileNotFoundError, ValueError):  # never, or just now
            return None, 0.0

    def silence(self, process: Process) -> float:
        """Return the seconds since a process last said that it is alive; infinite if never."""
        try:
            return time.time() - (self.path / process).stat().st_mtime
        except FileNotFoundError:
            return float("inf")

    def ask_to_stop(self) -> None:
        """Ask the child to finish its job soon."""
        self._stop.touch()

    def stopping_for(self) -> float:
        """Return the seconds since the child was asked to stop; 0 if it was not."""
        try:
            return time.time() - self._stop.stat().st_mtime
        except FileNotFoundError:
            return 0.0

    def report_broken(self) -> None:
        """Say that no child of this worker can work."""
        self._broken.touch()

    @property
    def is_broken(self) -> bool:
        """Whether a child could not load its pipeline."""
        return self._broken.exists()
