"""The metrics of a worker's processes, which prometheus_client stores in one file per process.

A child that dies leaves its files, because its counts must not be lost. They are merged into one
file for each type of metric, so that their number does not grow with the children.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from threading import Lock

from prometheus_client import Metric
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import MultiProcessCollector

logger = logging.getLogger(__name__)

SUMMED = ("counter", "histogram")
"""Types of metrics whose files can be merged by adding up their values; a worker has no others."""


class ProcessMetrics(MultiProcessCollector):
    """Sums the metrics over all processes, living and dead; safe to share between threads."""

    def __init__(self, directory: Path, is_running: Callable[[int], bool]) -> None:
        """Read the files in a directory.

        Args:
            directory: where prometheus_client stores them.
            is_running: whether the process with an id still writes to its files.
        """
        super().__init__(None, str(directory))  # type: ignore[no-untyped-call]
        self._directory = directory
        self._is_running = is_running
        self._lock = Lock()

    def collect(self) -> Iterable[Metric]:
        """Return the sums."""
        with self._lock:
            return list(super().collect())  # type: ignore[no-untyped-call]

    def merge_dead(self) -> None:
        """Merge the files of processes that have died; log it if that fails."""
        try:
            with self._lock:
                for kind in SUMMED:
                    self._merge(kind)
        except OSError:
            logger.exception("The metrics of dead processes could not be merged")

    def _merge(self, kind: str) -> None:
        merged = self._directory / f"{kind}_dead.db"
        dead = [file for file in self._directory.glob(f"{kind}_*.db") if self._is_left(file)]
        if not dead:
            return
        totals = _sums([merged, *dead])
        new = merged.with_suffix(".new")
        new.unlink(missing_ok=True)
        values = MmapedDict(str(new))
        for key, value in totals.items():
            values.write_value(key, value, 0.0)
        values.close()
        new.replace(merged)
        for file in dead:
            file.unlink()

    def _is_left(self, file: Path) -> bool:
        process = file.stem.rpartition("_")[2]
        return process.isdecimal() and not self._is_running(int(process))


def _sums(files: Iterable[Path]) -> Counter[str]:
    sums: Counter[str] = Counter()
    for file in files:
        # A process that died while it created its file left it empty.
        if file.exists() and file.stat().st_size:
            for key, value, *_ in MmapedDict.read_all_values_from_file(str(file)):
                sums[key] += value
    return sums
