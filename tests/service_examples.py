"""Example uploads and responses for the tests of the service."""

from functools import cache
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image

from tests.media import babble, recording

Files = dict[str, tuple[str | None, bytes | str]]


@cache
def portrait(side: int = 256) -> bytes:
    """Encode a picture without a face."""
    pixels = np.random.default_rng(0).integers(0, 255, (side // 8, side // 8, 3), np.uint8)
    file = BytesIO()
    Image.fromarray(pixels).resize((side, side)).save(file, "JPEG")
    return file.getvalue()


@cache
def animation() -> bytes:
    """Encode an animated PNG of two pictures without a face."""
    pictures = [Image.new("RGB", (256, 256), colour) for colour in ("red", "blue")]
    file = BytesIO()
    pictures[0].save(file, "PNG", save_all=True, append_images=pictures[1:])
    return file.getvalue()


@cache
def speech(seconds: float = 1.0) -> bytes:
    """Encode voice-like sound."""
    return recording(babble(seconds), "wav", "pcm_s16le")


def upload(**parts: tuple[str | None, bytes | str] | str | bytes | None) -> Files:
    """Return the parts of a valid upload, with some replaced, added or (None) omitted.

    Bytes become a file, text becomes an option.
    """
    good: dict[str, Any] = {"portrait": portrait(), "audio": speech(), "consent": "true"}
    return {name: _part(name, part) for name, part in {**good, **parts}.items() if part is not None}


def _part(name: str, part: Any) -> tuple[str | None, bytes | str]:
    if isinstance(part, tuple):
        return part
    return (f"{name}.bin", part) if isinstance(part, bytes) else (None, part)
