"""Whether a worker lives: `python -m workers.health` exits 0 if parent and child were heard of.

A child is silent until it has loaded its pipeline, so a worker that starts is not yet healthy.
"""

import sys
import threading
import time
from collections.abc import Callable
from typing import get_args

from workers.run_directory import Process, RunDirectory
from workers.settings import WorkerSettings

PULSE_INTERVAL = 5.0
"""Seconds between two beats of the child; the parent's are Celery's, every 2 s."""
LONGEST_SILENCE = 60.0
"""Seconds without a beat after which a process is taken for dead; an outage of Valkey that lasts
longer silences the parent too."""


def start_pulse(beat: Callable[[], None]) -> None:
    """Call `beat` now and then, from a thread, for as long as the process lives."""

    def run() -> None:
        while True:
            beat()
            time.sleep(PULSE_INTERVAL)

    threading.Thread(target=run, name="pulse", daemon=True).start()


def silent_processes(directory: RunDirectory) -> list[Process]:
    """Return the processes of a worker that were not heard of for too long."""
    return [p for p in get_args(Process) if directory.silence(p) > LONGEST_SILENCE]


def main() -> None:
    """Say which process is silent, if any, and exit accordingly."""
    directory = RunDirectory(WorkerSettings().run_directory)
    silent = silent_processes(directory)
    sys.exit(f"Silent: {', '.join(silent)} ({directory.path})." if silent else 0)


if __name__ == "__main__":
    main()
