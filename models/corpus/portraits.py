"""The data folder's portraits at 512 px, with landmarks."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.corpus.clips import LANDMARK_SCALE

PORTRAIT_LANDMARKS = Path("landmarks", "portraits.npz")
HELD_OUT_TENTH = 10


def portrait_landmarks(data: Path) -> dict[str, NDArray[np.float32]]:
    """Return the landmarks `[79, 2]` of each portrait, in px of a 256 px crop, by name."""
    path = data / PORTRAIT_LANDMARKS
    if not path.exists():
        return {}
    with np.load(path) as archive:
        return {name: archive[name].astype(np.float32) / LANDMARK_SCALE for name in archive.files}


def read_portrait(data: Path, name: str) -> NDArray[np.uint8]:
    """Return the portrait `[512, 512, 3]` RGB."""
    return np.asarray(Image.open(data / "portraits" / f"{name}.jpg").convert("RGB"))


def held_out_people(names: Iterable[str]) -> frozenset[str]:
    """Return every tenth of the people with a neutral and a smiling portrait, NAME_n and NAME_s."""
    people = sorted({name.split("_")[0] for name in names if name.endswith("_n")})
    return frozenset(people[::HELD_OUT_TENTH])
