"""Health of a worker: `python -m workers.synthesis.health` exits with 0 if it is alive.

Both parent and child must send heartbeats. A child sends none before it has loaded its pipeline, so
a starting worker is not healthy yet. If a child stops sending them later, its parent kills it:
native code that never returns and blocks all other threads also keeps the child from noticing a
time limit.
"""

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import get_args

from workers.synthesis.process_metrics import ProcessMetrics
from workers.synthesis.run_directory import Process, RunDirectory
from workers.synthesis.settings import WorkerSettings

logger = logging.getLogger(__name__)

PULSE_INTERVAL = 5.0
"""Maximum seconds between two heartbeats of the child; the parent's are Celery's, every 2 s."""
LONGEST_HEARTBEAT_AGE = 60.0
"""Seconds without a heartbeat after which a process counts as dead. A longer outage of Valkey also
stops the parent's heartbeats.
"""
MAX_MISSED_CHECKS = 6
"""Number of consecutive checks without a new heartbeat after which the parent kills a child. Checks
are counted instead of seconds, so that a suspended machine or a changed clock has no effect.
"""

MERGE_INTERVAL = 60.0
"""Seconds between two times that the metrics of dead children are merged."""


class Watch:
    """Monitors a worker's child from its parent."""

    def __init__(self, directory: RunDirectory) -> None:
        self._directory = directory
        self._seen: float | None = None
        self._missed_checks = 0

    def check(self) -> None:
        """Kill the child after too many checks without a heartbeat; another one replaces it."""
        pid, beat = self._directory.last_beat("child")
        if pid is None or beat != self._seen or not is_running_child(pid):
            self._seen, self._missed_checks = beat, 0
            return
        self._missed_checks += 1
        if self._missed_checks >= MAX_MISSED_CHECKS:
            self._missed_checks = 0
            logger.error("No thread of child %d is running; killing the child.", pid)
            os.kill(pid, signal.SIGKILL)


def is_child_ready(directory: RunDirectory) -> bool:
    """Return whether this process has a child that has loaded its pipeline."""
    pid, _ = directory.last_beat("child")
    return pid is not None and is_running_child(pid)


def is_running_child(pid: int) -> bool:
    """Return whether a process is a running child of this one."""
    try:
        # Leave its exit status for the code that started it.
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None
    except ChildProcessError:
        return False


def is_process(pid: int) -> bool:
    """Return whether a process is this one, or a running child of it."""
    return pid == os.getpid() or is_running_child(pid)


def start_watch(directory: RunDirectory, hang_seconds: float) -> None:
    """Monitor the child of this process from a thread."""
    _repeat("watch", Watch(directory).check, hang_seconds / MAX_MISSED_CHECKS)


def start_merging(metrics: ProcessMetrics) -> None:
    """Merge the metrics of dead children at intervals, from a thread."""
    _repeat("metrics", metrics.merge_dead, MERGE_INTERVAL)


def start_pulse(beat: Callable[[], None], hang_seconds: float) -> None:
    """Call `beat` at intervals, from a thread, for as long as the process lives."""
    _repeat("pulse", beat, min(PULSE_INTERVAL, hang_seconds / MAX_MISSED_CHECKS / 2))


def _repeat(name: str, action: Callable[[], None], interval: float) -> None:
    def run() -> None:
        while True:
            action()
            time.sleep(interval)

    threading.Thread(target=run, name=name, daemon=True).start()


def unresponsive_processes(directory: RunDirectory) -> list[Process]:
    """Return the processes of a worker without a recent heartbeat."""
    return [p for p in get_args(Process) if directory.heartbeat_age(p) > LONGEST_HEARTBEAT_AGE]


def main() -> None:
    """Report the processes without a recent heartbeat, if any, and exit accordingly."""
    directory = RunDirectory(WorkerSettings().run_directory)
    unresponsive = unresponsive_processes(directory)
    sys.exit(
        f"No recent heartbeat: {', '.join(unresponsive)} ({directory.path})." if unresponsive else 0
    )


if __name__ == "__main__":
    main()
