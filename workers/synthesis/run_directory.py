"""The run directory, shared by a worker's parent, its child and its health check."""

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
    """The directory is used by another running worker, or belongs to another user."""


class RunDirectory:
    """Heartbeats, stop request, scratch space and metrics of one worker.

    They are files because the child is a new interpreter: it shares only the environment and the
    disk with its parent.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.metrics = path / "metrics"
        """Where prometheus_client stores the values of each process."""
        self.scratch = path / "scratch"
        """Where a job's files are stored during an attempt."""
        self._stop = path / "stop"
        self._broken = path / "broken"
        digest = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:12]
        self.semaphore_prefix = f"/amigo-{digest}"
        """Prefix of the names of the worker's semaphores."""

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Lock the directory for this process, and remove what an earlier worker left.

        Raises:
            RunDirectoryTaken: another worker uses it, or it belongs to another user.
        """
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.path.stat().st_uid != os.getuid():
            # In a directory open to all users, whoever creates it first could read the videos.
            raise RunDirectoryTaken(f"{self.path} belongs to another user.")
        with (self.path / LOCK).open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise RunDirectoryTaken(
                    f"{self.path} belongs to another worker; give each worker its own "
                    "AMIGO_RUN_DIRECTORY."
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
        # Where Linux keeps semaphores, including those of a killed worker.
        for left in SHARED_MEMORY.glob(f"sem.{self.semaphore_prefix[1:]}-*"):
            left.unlink(missing_ok=True)

    def clear_scratch(self) -> None:
        """Delete the files left by a killed child."""
        shutil.rmtree(self.scratch, ignore_errors=True)
        self.scratch.mkdir()

    def beat(self, process: Process) -> None:
        """Record a heartbeat of this process."""
        (self.path / process).write_text(str(os.getpid()))

    def last_beat(self, process: Process) -> tuple[int | None, float]:
        """Return the process with the latest heartbeat and its time, from the file; None if there
        is none.
        """
        try:
            file = self.path / process
            return int(file.read_text()), file.stat().st_mtime
        except (FileNotFoundError, ValueError):  # never, or just now
            return None, 0.0

    def heartbeat_age(self, process: Process) -> float:
        """Return the seconds since a process's last heartbeat; infinite if there is none."""
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
        """Record that no child of this worker can process jobs."""
        self._broken.touch()

    @property
    def is_broken(self) -> bool:
        """Whether a child could not load its pipeline."""
        return self._broken.exists()
