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
from models.corpus.clips import LANDMARK_SCALE
from models.landmarks_to_video.complexion import complexion
from models.landmarks_to_video.dentition import (
    TEETH_HEIGHT,
    TEETH_WIDTH,
    read_teeth,
    tooth_likeness,
)
from models.landmarks_to_video.face_regions import MOUTH, face_frame
from models.landmarks_to_video.visual_translator import VisualTranslator

PEOPLE = ("l0792", "l0795", "l0800", "l0763", "l0779", "l0714", "l0782", "l0769")
"""Of the London set (DeBruine and Jones, CC BY 4.0): sharp, whole rows, bites just open."""
GUM = 9
"""Texels above the teeth that are filled in: an upper lip may rise further than in the smile."""
MIDDLE = slice(TEETH_WIDTH // 2 - 8, TEETH_WIDTH // 2 + 8)
"""Columns of the central incisors."""


def fit(data: Path, translator: VisualTranslator) -> VisualTranslator:
    """Put the people's teeth into the translator's maps."""
    archive = np.load(data / "landmarks" / "portraits.npz")
    for row, person in enumerate(PEOPLE):
        picture = np.array(Image.open(data / "portraits" / f"{person}_s.jpg").convert("RGB"))
        smile, neutral = (
            torch.from_numpy(archive[f"{person}_{look}"].astype(np.float32) / LANDMARK_SCALE)[None]
            for look in "sn"
        )
        image = torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 255
        translator.dentitions.maps[row, :4] = upper_row(image, smile)
        translator.dentitions.widths[row] = mouth_width(neutral)
    return translator


def mouth_width(landmarks: Tensor) -> Tensor:
    """Return the width between the corners of `[1, 79, 2]`, in inter-ocular distances."""
    return (landmarks[0, 54] - landmarks[0, 48]).norm() / face_frame(landmarks)[0][0]


def upper_row(image: Tensor, landmarks: Tensor) -> Tensor:
    """Return `[4, 64, 128]`: the upper teeth alone, gums above, their edge on the middle row."""
    corner = torch.zeros(1, 2)
    teeth, colour = read_teeth(image, landmarks, corner, scale=2)
    skin = complexion(image, landmarks, corner, MOUTH, scale=2)
    likely = (tooth_likeness(teeth, colour, skin) * teeth[:, 0, 3])[0].numpy() > 0.5
    shape = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
    whole = cv2.morphologyEx(likely.astype(np.uint8), cv2.MORPH_CLOSE, shape)
    colours, opacity = _with_gums(teeth[0, 0, :3].permute(1, 2, 0).numpy(), whole)
    edge = int(np.flatnonzero(whole[:, MIDDLE].mean(axis=1) > 0.5)[-1])
    row = np.concatenate([colours, opacity[..., None]], axis=2)
    return torch.from_numpy(_lowered(row, TEETH_HEIGHT // 2 - edge)).permute(2, 0, 1)


def _with_gums(
    colours: NDArray[np.float32], teeth: NDArray[np.uint8]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Fill in what is hidden around the teeth `[64, 128]`; returns colours and opacity."""
    levels = np.clip(colours * 180, 0, 255).astype(np.uint8)
    solid = cv2.erode(teeth, np.ones((3, 3), np.uint8))
    filled = cv2.inpaint(levels, 1 - solid, 3, cv2.INPAINT_TELEA)
    raised = np.max([_lowered(solid, -step) for step in range(GUM)], axis=0)
    opacity = cv2.GaussianBlur(raised.astype(np.float32), (0, 0), 0.7)
    return filled.astype(np.float32) / 180, opacity


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
    save_checkpoint(options.out, translator.state_dict(), translator.config)


if __name__ == "__main__":
    main()
