"""A clock of its own for any program, which steps as it is told: libfaketime, preloaded."""

from collections.abc import Mapping
from pathlib import Path

import pytest

LIBRARIES = "*/faketime/libfaketime.so.1"
FOLDERS = (Path("/usr/lib"), Path("/usr/lib64"), Path("/usr/local/lib"))


def find_faketime() -> Path | None:
    """Return the library, where a distribution has put it."""
    return next((file for folder in FOLDERS for file in folder.glob(LIBRARIES)), None)


needs_faketime = pytest.mark.skipif(
    find_faketime() is None, reason="libfaketime is missing: apt-get install faketime"
)


class Clock:
    """The clock of whichever programs run in its environment; it starts out right."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.step(0)

    @property
    def environment(self) -> Mapping[str, str]:
        """The variables that make a program look at this clock.

        Only the time of day is another: how long things take is measured as ever.
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
        """Let the clock be so many seconds ahead of the right time, from now on."""
        draft = self._file.with_name(f"{self._file.name}.draft")
        draft.write_text(f"{seconds:+.0f}")
        draft.replace(self._file)
