"""Free space on the disk of a standalone system."""

import shutil
from pathlib import Path

RESERVED_MB = 200
"""Free space in MB below which the object store refuses new files. It leaves Valkey room for its
log, and the object store for the copy of a volume by which it reclaims the space of deleted files.
"""


def free_mb(directory: Path) -> int:
    """Return the free space in MB on the disk of a directory, which need not exist yet."""
    path = directory.resolve()
    existing = next(each for each in (path, *path.parents) if each.exists())
    return shutil.disk_usage(existing).free // 1_000_000


def shortage(directory: Path) -> str | None:
    """Return that the object store of a directory refuses new files within a minute, or None if
    there is space.
    """
    free = free_mb(directory)
    if free >= RESERVED_MB:
        return None
    return (
        f"The disk of {directory} has only {free} MB left. Below {RESERVED_MB} MB, the object "
        "store refuses new files within a minute."
    )
