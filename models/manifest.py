"""The manifest of the weights: the sha256 of each file, which also identifies the weights of a
video.
"""

import hashlib
from pathlib import Path

WEIGHTS = Path(__file__).parent / "weights"
MANIFEST = "manifest.json"


class CheckpointError(RuntimeError):
    """A weights file is missing, damaged or different from the manifest."""


def sha256_of(path: Path) -> str:
    """Return the file's digest in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def weights_digest(folder: Path = WEIGHTS) -> str:
    """Return 16 hexadecimal digits of the manifest's own sha256, which change with any weight.

    Loading compares every file with the manifest, so these weights were used.
    """
    return sha256_of(folder / MANIFEST)[:16]
