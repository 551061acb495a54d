"""A separate clock for any program, which can be changed: libfaketime, preloaded."""

from collections.abc import Mapping
from pathlib import Path

import pytest

LIBRARIES = "*/faketime/libfaketime.so.1"
FOLDERS = (Path("/usr/lib"), Path("/usr/lib64"), Path("/usr/local/lib"))


def find_faketime() -> Path | None:
    """Return the path of the library on this distribution."""
    return next((file for folder in FOLDERS for file in folder.glob(LIBRARIES)), None)


needs_faketime = pytest.mark.skipif(
    find_faketime() is None, reason="libfaketime is missing: apt-get install faketime"
)


class Clock:
    """The clock of all programs in its environment; initially correct."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.step(0)

    @property
    def environment(self) -> Mapping[str, str]:
        """The variables with which a program uses this clock.

        Only the time of day changes; durations are measured as usual.
        """
        library = find_faketime()
        if library is None:
            raise FileNotFoundError("libfaketime is missing: apt-get install faketime")
        return {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }

    def step(self, seconds: float) -> None:
        """Set the clock ahead by the given number of seconds."""
        draft = self._file.with_name(f"{self._file.name}.draft")
        draft.write_text(f"{seconds:+.0f}")
        draft.replace(self._file)
