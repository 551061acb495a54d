"""Closed portraits that open: do teeth look photographed, and are lips as far apart as asked?

Measured on people kept out, of whom there is a neutral and a smiling photograph. The neutral one is
rendered under the smile's landmarks, and at a series of openings that a tracker measures again.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from media.faces.landmarks import CROP_SIZE
from media.faces.portrait import Detector
from models.corpus.clips import mouth_opening
from models.corpus.portraits import held_out_people, portrait_landmarks, read_portrait
from models.evaluation.report import Row, Table
from models.landmarks_to_video.visual_translator import VisualTranslator

Points = NDArray[np.float32]
Pixels = NDArray[np.uint8]
Frames = NDArray[np.uint8]

CLOSED, SMILING = 1.5, 4.0
"""Openings, px, up to which a mouth counts as closed, and from which a smile shows teeth."""
ASKED = (0.08, 0.12, 0.16, 0.23, 0.3, 0.38, 0.46)
"""Openings asked for, in inter-ocular distances: 5 to 28 px where the eyes are 60 px apart."""
JAW_SHARE = 0.8
"""Share of an opening by which the lower lip falls; the upper one rises by the rest."""
RIGID = (27, 28, 29, 30, 36, 39, 42, 45)
"""Bridge of the nose and corners of the eyes."""
INNER_LIPS = slice(60, 68)
UPPER, LOWER, JAW = (49, 50, 51, 52, 53, 61, 62, 63), (55, 56, 57, 58, 59, 65, 66, 67), range(5, 12)


@dataclass(frozen=True)
class ClosedPortrait:
    """A person's neutral and smiling photograph, `[512, 512, 3]`, and their landmarks `[79, 2]`."""

    neutral: Pixels
    smile: Pixels
    at_rest: Points
    smiling: Points

    def turned_back(self) -> tuple[Pixels, Points]:
        """Return the smile, moved so that nose and eyes lie where the neutral face has them."""
        rigid = list(RIGID)
        move, _ = cv2.estimateAffinePartial2D(self.smiling[rigid], self.at_rest[rigid])
        turn, shift = np.asarray(move[:, :2], np.float32), np.asarray(move[:, 2], np.float32)
        enlarged = np.column_stack([turn, shift * (len(self.smile) / CROP_SIZE)])
        picture = cv2.warpAffine(self.smile, enlarged, self.smile.shape[:2], flags=cv2.INTER_CUBIC)
        return np.asarray(picture, np.uint8), self.smiling @ turn.T + shift


Render = Callable[[ClosedPortrait, Points], Frames]
"""Renders a person's neutral portrait under landmarks `[N, 79, 2]`: `[N, 512, 512, 3]`."""


def renderer(translator: VisualTranslator) -> Render:
    """Render with the network."""
    return lambda portrait, landmarks: translator.render(
        translator.prepare(portrait.neutral, portrait.at_rest), landmarks
    )


def closed_portraits(data: Path) -> list[ClosedPortrait]:
    """Return the people kept out whose neutral portrait is closed."""
    places = portrait_landmarks(data)
    people = [(f"{person}_n", f"{person}_s") for person in sorted(held_out_people(places))]
    return [
        ClosedPortrait(
            read_portrait(data, neutral),
            read_portrait(data, smile),
            places[neutral],
            places[smile],
        )
        for neutral, smile in people
        if smile in places and mouth_opening(places[neutral]) < CLOSED
    ]


def closed_portrait_table(
    render: Render, detector: Detector, portraits: Sequence[ClosedPortrait]
) -> Table:
    """Compare drawn teeth with photographed ones, and openings with those asked for."""
    smiling = [p for p in portraits if mouth_opening(p.smiling) > SMILING]
    smiles = [compare_smile(render, p) for p in tqdm(smiling, desc="smiles")]
    openings = [track_openings(render, detector, p) for p in tqdm(portraits, desc="openings")]
    contrast, colour = np.mean(smiles, axis=0).tolist() if smiles else (None, None)
    again: list[float | None] = [None] * len(ASKED)
    if openings:
        again = np.nanmean(openings, axis=0).tolist()
    row: Row = {
        "portraits": len(portraits),
        "smiles": len(smiling),
        "contrast / real": contrast,
        "colour difference": colour,
        **{f"{asked:.2f}": value for asked, value in zip(ASKED, again, strict=True)},
    }
    note = (
        "Neutral portraits under the smiling photograph's landmarks, inside the lips: deviation "
        "of the Laplacian, and distance of the mean colours in CIELAB. Then, by the opening asked "
        "for in inter-ocular distances: what a tracker finds in the rendered frame, divided by it."
    )
    return Table("Closed portraits that open", note, [row])


def compare_smile(render: Render, portrait: ClosedPortrait) -> tuple[float, float]:
    """Return contrast / real and the colour difference inside the lips of a rendered smile."""
    real, landmarks = portrait.turned_back()
    drawn = render(portrait, landmarks[None])[0]
    inside = inside_lips(landmarks, len(real))
    colours = [
        cv2.cvtColor(picture.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[inside].mean(axis=0)
        for picture in (drawn, real)
    ]
    ratio = contrast(drawn, inside) / contrast(real, inside)
    return ratio, float(np.linalg.norm(colours[0] - colours[1]))


def inside_lips(landmarks: Points, side: int) -> NDArray[np.bool_]:
    """Return where in a picture `[side, side]` the mouth of `[79, 2]`, px of 256, is open."""
    inside = np.zeros((side, side), np.uint8)
    cv2.fillPoly(inside, [(landmarks[INNER_LIPS] * (side / CROP_SIZE)).astype(np.int32)], 1)
    return inside > 0


def contrast(picture: Pixels, inside: NDArray[np.bool_]) -> float:
    """Return the deviation of the Laplacian of some pixels' grey levels."""
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
    return float(cv2.Laplacian(grey, cv2.CV_32F)[inside].std())


def track_openings(render: Render, detector: Detector, portrait: ClosedPortrait) -> list[float]:
    """Return, for each of ASKED, the opening found again over that asked for; NaN if no face is."""
    targets = np.stack([opened(portrait.at_rest, opening) for opening in ASKED])
    found = [detector.detect(frame)[:1] for frame in render(portrait, targets)]
    scale = len(portrait.neutral) / CROP_SIZE
    return [
        float(mouth_opening(faces[0]) / scale / mouth_opening(target)) if faces else np.nan
        for faces, target in zip(found, targets, strict=True)
    ]


def opened(landmarks: Points, opening: float) -> Points:
    """Return closed lips `[79, 2]`, parted by an opening in inter-ocular distances.

    The lips bow between their corners, and the chin falls with the lower one.
    """
    across = landmarks[42:48].mean(axis=0) - landmarks[36:42].mean(axis=0)
    down = np.array([-across[1], across[0]], np.float32)
    corners = landmarks[[48, 54]]
    width = np.linalg.norm(corners[1] - corners[0])
    aside = (landmarks - corners.mean(axis=0)) @ across / np.linalg.norm(across) / (width / 2)
    bow = np.sqrt(1 - np.clip(aside, -1, 1) ** 2)
    parted = landmarks.copy()
    for points, share in ((UPPER, JAW_SHARE - 1), (LOWER, JAW_SHARE), (JAW, JAW_SHARE)):
        chosen = list(points)
        parted[chosen] += share * opening * bow[chosen, None] * down
    return parted
