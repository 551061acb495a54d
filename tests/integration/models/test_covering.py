"""Faces behind something are refused, and faces in any light are not."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageEnhance, ImageOps

from media.errors import FaceCovered
from media.faces.landmarks import LEFT_EYE, MOUTH, RIGHT_EYE, LandmarkDetector
from media.faces.portrait import Portrait, crop_portrait
from models.face.covering import CoveringNetwork

EXAMPLES = Path(__file__).parents[3] / "examples"
WEB_EXAMPLES = Path(__file__).parents[3] / "service" / "web" / "examples"


@pytest.fixture(scope="module")
def network() -> CoveringNetwork:
    return CoveringNetwork.load()


@pytest.fixture(scope="module")
def portrait() -> Iterator[Portrait]:
    with LandmarkDetector() as detector:
        yield crop_portrait(np.asarray(Image.open(EXAMPLES / "portrait.jpg")), detector)


def masked(draw: ImageDraw.ImageDraw, face: np.ndarray) -> None:
    outline = [tuple(map(float, face[point])) for point in (2, 29, 14, 11, 8, 5)]
    draw.polygon(outline, fill=(150, 200, 220))


def behind_a_microphone(draw: ImageDraw.ImageDraw, face: np.ndarray) -> None:
    x, y = map(float, face[MOUTH].mean(0))
    draw.ellipse([x - 28, y - 28, x + 28, y + 28], fill=(30, 30, 34))
    draw.rectangle([x - 16, y, x + 16, 256], fill=(24, 24, 26))


def in_dark_glasses(draw: ImageDraw.ImageDraw, face: np.ndarray) -> None:
    for eye in (LEFT_EYE, RIGHT_EYE):
        x, y = map(float, face[eye].mean(0))
        draw.rounded_rectangle([x - 26, y - 16, x + 26, y + 20], 8, fill=(12, 12, 16))


def in_clear_glasses(draw: ImageDraw.ImageDraw, face: np.ndarray) -> None:
    for eye in (LEFT_EYE, RIGHT_EYE):
        x, y = map(float, face[eye].mean(0))
        draw.rounded_rectangle([x - 26, y - 16, x + 26, y + 20], 8, outline=(40, 30, 20), width=3)


Draw = Callable[[ImageDraw.ImageDraw, np.ndarray], None]


def drawn(portrait: Portrait, draw: Draw) -> np.ndarray:
    picture = Image.fromarray(portrait.crop)
    draw(ImageDraw.Draw(picture), portrait.landmarks)
    return np.asarray(picture)


@pytest.mark.parametrize(
    ("draw", "part"),
    [(masked, "mouth"), (behind_a_microphone, "mouth"), (in_dark_glasses, "eyes")],
)
def test_a_covered_part_is_named(
    network: CoveringNetwork, portrait: Portrait, draw: Draw, part: str
) -> None:
    with pytest.raises(FaceCovered, match=f"Something covers the {part}, such as"):
        network.check(drawn(portrait, draw))


def test_glasses_that_show_the_eyes_pass(network: CoveringNetwork, portrait: Portrait) -> None:
    network.check(drawn(portrait, in_clear_glasses))


def test_a_face_passes_in_any_light(network: CoveringNetwork, portrait: Portrait) -> None:
    crop = Image.fromarray(portrait.crop)
    for picture in (
        crop,
        ImageOps.mirror(crop),
        ImageOps.grayscale(crop).convert("RGB"),
        ImageEnhance.Brightness(crop).enhance(0.5),
        ImageEnhance.Contrast(crop).enhance(1.6),
        ImageEnhance.Color(crop).enhance(1.8),
        crop.resize((70, 70)).resize((256, 256)),
    ):
        network.check(np.asarray(picture))


@pytest.mark.parametrize("name", ["ada", "sam", "zoe"])
def test_the_examples_of_the_page_pass(network: CoveringNetwork, name: str) -> None:
    with LandmarkDetector() as detector:
        picture = np.asarray(Image.open(WEB_EXAMPLES / f"{name}.jpg").convert("RGB"))
        network.check(crop_portrait(picture, detector).crop)
