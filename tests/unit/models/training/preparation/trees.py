"""Corpora of empty files in their published layout."""

from pathlib import Path


def lay_out(root: Path, *files: str) -> Path:
    """Create empty files under `root`."""
    for file in files:
        path = root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root
