"""The manifest of the weights: which file has which sha256, and so which weights a video is of."""

import hashlib
from pathlib import Path

WEIGHTS = Path(__file__).parent / "weights"
MANIFEST = "manifest.json"


def sha256_of(path: Path) -> str:
    """Return the file's digest in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def weights_digest(folder: Path = WEIGHTS) -> str:
    """Return 16 hexadecimal digits that change with any weight: of the manifest's own sha256.

    Loading compares every file with the manifest, so none but these weights can have been used.
    """
    return sha256_of(folder / MANIFEST)[:16]
