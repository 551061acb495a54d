"""Blank eyes, as of a statue, told from those of people."""

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from media.faces.irises import are_eyes_blank
from media.faces.landmarks import IRISES, LOWER_LIDS, UPPER_LIDS
from tests.media import face_landmarks

EYES = face_landmarks(128, 103, 62)
EYES[UPPER_LIDS, 1] -= 2.0
EYES[LOWER_LIDS, 1] += 2.0


def face(skin: int, irises: tuple[int, int]) -> NDArray[np.uint8]:
    """Return a face whose irises have these grey levels."""
    image = Image.new("RGB", (256, 256), (skin,) * 3)
    draw = ImageDraw.Draw(image)
    for (x, y), grey in zip(EYES[IRISES], irises, strict=True):
        draw.ellipse((x - 5, y - 5, x + 5, y + 5), (grey,) * 3)
    return np.asarray(image)


@pytest.mark.parametrize(
    ("skin", "irises", "is_blank"),
    [
        (180, (175, 180), True),
        (180, (40, 60), False),
        (180, (180, 60), False),  # one eye in the light
        (90, (60, 60), False),
        (5, (5, 5), False),  # too dark to tell
    ],
)
def test_eyes_as_bright_as_the_cheeks_are_blank(
    skin: int, irises: tuple[int, int], is_blank: bool
) -> None:
    assert are_eyes_blank(face(skin, irises), EYES) is is_blank


def test_closed_eyes_are_not_blank() -> None:
    closed = EYES.copy()
    closed[LOWER_LIDS] = closed[UPPER_LIDS]
    assert not are_eyes_blank(face(180, (180, 180)), closed)
