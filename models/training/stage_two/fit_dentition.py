"""Cut the teeth that closed portraits are given out of photographs of smiles.

    python -m models.training.stage_two.fit_dentition --data DIR --weights FILE --out FILE

Of each person both a smiling and a neutral photograph are needed: the smile shows the teeth, the
neutral one says how wide the mouth is that they belong to.
"""

import argparse
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from models.checkpoints import save_checkpoint
from models.corpus.clips import LANDMARK_SCALE, mouth_opening
from models.landmarks_to_video.complexion import complexion
from models.landmarks_to_video.dentition import (
    TEETH_HEIGHT,
    TEETH_WIDTH,
    read_teeth,
    tooth_area,
    tooth_likeness,
)
from models.landmarks_to_video.face_regions import MOUTH, face_frame
from models.landmarks_to_video.visual_translator import VisualTranslator
from models.training.stage_two.face_frames import held_out_people

PEOPLE = ("l0792", "l0795", "l0800", "l0763", "l0779", "l0714", "l0782", "l0769")
"""Of the London set (DeBruine and Jones, CC BY 4.0): sharp, whole rows, bites just open."""
# fmt: off
LOWER_TEETH: dict[str, tuple[int, int, list[tuple[int, int]]]] = {
    "c0017_0": (
        60,
        24,
        [(23, 21), (36, 23), (60, 24), (82, 24), (88, 23), (91, 26), (90, 31), (78, 32), (66, 33),
         (60, 35), (50, 36), (42, 35), (36, 33), (30, 30)],
    ),
    "c0377_2": (
        75,
        24,
        [(41, 31), (46, 27), (50, 23), (64, 23), (84, 24), (96, 25), (101, 25), (106, 29),
         (105, 31), (98, 31), (84, 32), (52, 32), (41, 32)],
    ),
    "c0300_1": (
        61,
        24,
        [(30, 31), (38, 26), (48, 24), (60, 24), (70, 26), (76, 25), (90, 27), (94, 29), (92, 33),
         (88, 37), (74, 38), (60, 37), (48, 37), (40, 38), (32, 34)],
    ),
}
"""Members of the US Congress (public domain) that laugh with both rows apart: on the lower map, the
column between the incisors, the row of their edges, and the teeth's outline as traced by hand.
"""
# fmt: on
PARTED, PLAIN_TEETH = 4.0, 400.0
"""Inner-lip distance, px, and texels of teeth from which a portrait tells the enamel's colour."""
GREY = 0.03
"""Mean spread of the channels below which a portrait is grey."""
SIDE_LIGHT = 0.3
"""Brightness beside the brightest tooth of those far back."""
BOW = 11
"""Texels by which the last teeth's edges lie above the incisors'."""
SHARPENING = 0.8
"""Of the maps, which are read twice on their way into a frame."""
CONTRAST, BROAD = 1.0, 3.0
"""How far each texel moves from the mean of its surroundings; the width of that bell, texels."""
SEAM = 7
"""Texels: no line that is thinner runs along a row, as where filled and photographed parts meet."""
DARKEST, LEFT = 0.8, 0.35
"""Brightness below which a shadow is not the teeth's own, and how much is left of it."""
LEVEL = 180
"""Of 255, that enamel has while gaps are filled."""
GUM = 9
"""Texels above the teeth that are filled in: an upper lip may rise further than in the smile."""
MIDDLE = slice(TEETH_WIDTH // 2 - 8, TEETH_WIDTH // 2 + 8)
"""Columns of the central incisors."""


def fit(data: Path, translator: VisualTranslator) -> VisualTranslator:
    """Put the people's teeth into the translator's maps."""
    for row, person in enumerate(PEOPLE):
        image, smile = _face(data, f"{person}_s")
        neutral = _face(data, f"{person}_n")[1]
        translator.dentitions.maps[row, :4] = upper_row(image, smile)
        name, tracing = list(LOWER_TEETH.items())[row % len(LOWER_TEETH)]
        translator.dentitions.maps[row, 4:] = lower_row(*_face(data, name), tracing)
        translator.dentitions.widths[row] = mouth_width(neutral)
    translator.dentitions.maps.copy_(cleaned(translator.dentitions.maps))
    return translator


def cleaned(maps: Tensor) -> Tensor:
    """Return maps `[P, 8, 64, 128]` without specks, whose teeth stand out from one another.

    Shadows between teeth come out as dark specks where they do not fit the other person's lips. So
    they are lifted first; then each texel moves away from the mean of its surroundings.
    """
    rows = maps.reshape(-1, 4, TEETH_HEIGHT, TEETH_WIDTH).permute(0, 2, 3, 1).numpy()
    crisp = []
    for colours, opacity in ((row[..., :3], row[..., 3:]) for row in rows):
        lit = _lifted(colours)
        sums = cv2.GaussianBlur(lit * opacity, (0, 0), BROAD)
        share = cv2.GaussianBlur(opacity, (0, 0), BROAD)[..., None]
        mean = sums / share.clip(0.05)
        clear = (lit + CONTRAST * (lit - mean)).clip(0.0, 1.3)
        crisp.append(np.concatenate([np.where(opacity > 0.05, clear, colours), opacity], axis=2))
    return torch.from_numpy(np.stack(crisp)).permute(0, 3, 1, 2).reshape(maps.shape)


def _lifted(colours: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return colours `[H, W, 3]` without lines along the row, and with lighter shadows.

    Lines across it, between teeth, are taller than SEAM and stay.
    """
    light = colours.mean(axis=-1)
    smooth = cv2.morphologyEx(light, cv2.MORPH_CLOSE, np.ones((SEAM, 1), np.uint8))
    wanted = np.where(smooth < DARKEST, DARKEST - LEFT * (DARKEST - smooth), smooth)
    return np.asarray(colours * (wanted / light.clip(0.05))[..., None], np.float32)


@torch.no_grad()
def fit_enamel(data: Path, translator: VisualTranslator) -> int:
    """Fit how enamel's colour follows the skin, by least squares; returns how many portraits told.

    Log colour over the root of the skin's brightness is linear in the `complexion`.
    """
    archive = np.load(data / "landmarks" / "portraits.npz")
    held_out = held_out_people(archive.files)
    seen, colours = [], []
    for name in archive.files:
        if name.split("_")[0] in held_out or mouth_opening(archive[name] / LANDMARK_SCALE) < PARTED:
            continue
        image, landmarks = _face(data, name)
        teeth, colour = read_teeth(image, landmarks, torch.zeros(1, 2), scale=2)
        skin = complexion(image, landmarks, torch.zeros(1, 2), MOUTH, scale=2)
        if float(tooth_area(teeth, colour, skin)) > PLAIN_TEETH and not _is_grey(image):
            seen.append(skin[0])
            colours.append(colour[0].log() - skin[0, 0] / 2)
    known = torch.cat([torch.stack(seen), torch.ones(len(seen), 1)], dim=1)
    ridge = torch.diag(torch.tensor([1.0] * (known.shape[1] - 1) + [0.0]))
    factors = torch.linalg.solve(known.T @ known + ridge, known.T @ torch.stack(colours))
    enamel = translator.mouth.inside.enamel
    enamel.weight.copy_(factors[:-1].T)
    enamel.bias.copy_(factors[-1])
    return len(seen)


def _is_grey(image: Tensor) -> bool:
    return bool((image.amax(dim=1) - image.amin(dim=1)).mean() < GREY)


def _face(data: Path, name: str) -> tuple[Tensor, Tensor]:
    """Return a portrait `[1, 3, 512, 512]`, 0-1, and its landmarks `[1, 79, 2]`."""
    picture = np.array(Image.open(data / "portraits" / f"{name}.jpg").convert("RGB"))
    points = np.load(data / "landmarks" / "portraits.npz")[name].astype(np.float32)
    image = torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 255
    return image, torch.from_numpy(points / LANDMARK_SCALE)[None]


def mouth_width(landmarks: Tensor) -> Tensor:
    """Return the width between the corners of `[1, 79, 2]`, in inter-ocular distances."""
    width: Tensor = (landmarks[0, 54] - landmarks[0, 48]).norm() / face_frame(landmarks)[0][0]
    return width


def upper_row(image: Tensor, landmarks: Tensor) -> Tensor:
    """Return `[4, 64, 128]`: the upper teeth alone, gums above, their edge on the middle row."""
    corner = torch.zeros(1, 2)
    teeth, colour = read_teeth(image, landmarks, corner, scale=2, shade=-0.5)
    skin = complexion(image, landmarks, corner, MOUTH, scale=2)
    likely = (tooth_likeness(teeth, colour, skin, SIDE_LIGHT) * teeth[:, 0, 3])[0].numpy() > 0.5
    shape = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
    whole = np.asarray(cv2.morphologyEx(likely.astype(np.uint8), cv2.MORPH_CLOSE, shape), np.uint8)
    edge = int(np.flatnonzero(whole[:, MIDDLE].mean(axis=1) > 0.5)[-1])
    colours, opacity = _with_gums(teeth[0, 0, :3].permute(1, 2, 0).numpy(), whole, edge)
    row = np.concatenate([colours, opacity[..., None]], axis=2)
    return torch.from_numpy(_lowered(row, TEETH_HEIGHT // 2 - edge)).permute(2, 0, 1)


def lower_row(
    image: Tensor, landmarks: Tensor, tracing: tuple[int, int, list[tuple[int, int]]]
) -> Tensor:
    """Return `[4, 64, 128]`: the lower teeth within an outline, their edges on the middle row."""
    middle, edge, outline = tracing
    teeth, _ = read_teeth(image, landmarks, torch.zeros(1, 2), scale=2)
    whole = np.zeros((TEETH_HEIGHT, TEETH_WIDTH), np.uint8)
    cv2.fillPoly(whole, [np.array(outline, np.int32)], 1)
    colours = teeth[0, 1, :3].permute(1, 2, 0).numpy()[::-1].copy()
    colours, opacity = _with_gums(colours, whole[::-1].copy(), TEETH_HEIGHT - 1 - edge)
    row = np.concatenate([colours, opacity[..., None]], axis=2)[::-1]
    row = _lowered(row.copy(), TEETH_HEIGHT // 2 - edge)
    row = _lowered(row.swapaxes(0, 1).copy(), TEETH_WIDTH // 2 - middle).swapaxes(0, 1)
    return torch.from_numpy(row.copy()).permute(2, 0, 1)


def _with_gums(
    colours: NDArray[np.float32], teeth: NDArray[np.uint8], edge: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Fill in what is hidden around the teeth `[64, 128]`; returns colours and opacity.

    Above them the gums; below them, towards the sides, the rest of each tooth down to the bow that
    begins at the row `edge` in the middle.
    """
    levels = np.clip(colours * LEVEL, 0, 255).astype(np.uint8)
    solid = cv2.erode(teeth, np.ones((3, 3), np.uint8))
    soft = cv2.inpaint(levels, 1 - solid, 3, cv2.INPAINT_TELEA)
    blurred = cv2.GaussianBlur(soft, (0, 0), 1.5).astype(np.float32)
    inner = cv2.GaussianBlur(cv2.erode(solid, np.ones((3, 3))).astype(np.float32), (0, 0), 1)
    filled = soft + SHARPENING * (soft - blurred) * inner[..., None]
    grown = np.max([_lowered(solid, -step) for step in range(GUM)], axis=0)
    columns = np.arange(TEETH_WIDTH) - TEETH_WIDTH // 2
    bow = edge - BOW * (columns / columns[-1]) ** 2
    below = np.cumsum(solid, axis=0) * solid.any(axis=0) > 0
    grown |= (below & (np.arange(TEETH_HEIGHT)[:, None] <= bow)).astype(np.uint8)
    opacity = cv2.GaussianBlur(grown.astype(np.float32), (0, 0), 0.7)
    return np.asarray(filled / LEVEL, np.float32), np.asarray(opacity, np.float32)


def _lowered(rows: NDArray[Any], steps: int) -> NDArray[Any]:
    """Move `[H, ...]` down by whole rows; what comes in is zero."""
    moved = np.roll(rows, steps, axis=0)
    if steps:
        moved[slice(0, steps) if steps > 0 else slice(steps, None)] = 0
    return moved


def main() -> None:
    """Read the command line, fit and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    translator = fit(options.data, VisualTranslator.load(torch.device("cpu"), options.weights))
    print(f"enamel's colour from {fit_enamel(options.data, translator)} portraits")
    save_checkpoint(options.out, translator.state_dict(), translator.config)


if __name__ == "__main__":
    main()
