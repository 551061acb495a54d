"""Cut the teeth that closed portraits are given out of photographs of smiles.

    python -m models.training.stage_two.fit_dentition --data DIR --weights FILE --out FILE

The outlines of the teeth are those of `tooth_outlines`. The wider a row, the wider the resting
mouths that it is given to.
"""

import argparse
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt  # type: ignore[attr-defined]
from torch import Tensor
from torch.nn import functional as F

from models.checkpoints import save_checkpoint
from models.corpus.clips import mouth_opening
from models.corpus.portraits import held_out_people, portrait_landmarks, read_portrait
from models.landmarks_to_video.mouth.complexion import complexion
from models.landmarks_to_video.mouth.dentition import (
    TEETH_HEIGHT,
    TEETH_WIDTH,
    read_teeth,
    tooth_area,
)
from models.landmarks_to_video.mouth.interior import CLOSED
from models.landmarks_to_video.upright import face_frame
from models.landmarks_to_video.visual_translator import VisualTranslator
from models.training.stage_two.tooth_outlines import LOWER_ROWS, UPPER_ROWS, Points, Row

PARTED, PLAIN_TEETH = 4.0, 1600.0
"""Inner-lip distance, px, and texels of teeth from which a portrait tells the enamel's colour."""
GREY = 0.03
"""Mean spread of the channels below which a portrait is grey."""
SHARPENING, FINE = 0.2, 2.0
"""Of the maps, which are read twice on their way into a frame; deviation of the blur, texels."""
ALL_PIXELS = -100.0
"""Shade at the lips' edge with which no pixel of a photograph is left out."""
GUM, SHADE, GLOW, FADE = 18, 4, 4, 16
"""Texels by which a row goes on above what a smile bares; that lie in the upper lip's shade there;
that the lower lip's light tints; over which a row's ends fade into the dark.
"""
HALF_ROW, BOW, LOWER_BOW = 90.0, 10.0, -8.0
"""Texels: at this distance from its middle, the edge of an upper row lies so much higher, and that
of a lower one, which is upside down: seen from above where the jaw drops, it rises to its sides.
"""
LOWER_SHADE, LOWER_GLOW = 6, 1
"""Of lower rows: texels along the lip that are in its shade, and along the edge, where the mouth's
dark begins.
"""
CROWN, LIGHTEST_CROWN, CONTRAST, COLOURED, LIT = 0.95, 1.02, 0.08, 0.2, 8.0
"""Of lower rows: the mean brightness of crowns, and that of a highlight, which would go on below
the lip as a streak; its deviation at most; the share of their colour that they keep; deviation of
the blur that tells how light falls on them, texels.
"""
GROOVE, GROOVE_WIDE = 0.13, 2.5
"""Light that the groove between two lower teeth lacks: on what is carried on below the lip, nothing
else parts them; its width, texels.
"""
CROWN_HEIGHT, FRONT = 24, slice(96, 160)
"""Texels below their edges, and columns, in which both are measured."""
FINER = 4
"""Cells a texel when an outline is filled."""
ENAMEL, BRIGHTEST = 0.8, 1.3
"""Brightness from which a texel is plain enamel; of a highlight."""
SATURATION = 0.8
"""Share of its colour that a row keeps: lips throw theirs on teeth and gums."""


def fit(data: Path, translator: VisualTranslator) -> VisualTranslator:
    """Put the people's teeth into the translator's maps: the wider a row, the wider its mouths."""
    dentitions = translator.dentitions
    upper, lower = (
        _narrowest_first([drawn(*_face(data, portrait), row) for portrait, row in rows.items()])
        for drawn, rows in ((upper_row, UPPER_ROWS), (lower_row, LOWER_ROWS))
    )
    dentitions.maps.copy_(upper)
    dentitions.lower_maps.copy_(lower)
    shares = (torch.arange(len(upper)) + 0.5) / len(upper)
    dentitions.widths.copy_(resting_widths(data).quantile(shares))
    return translator


def _narrowest_first(rows: list[Tensor]) -> Tensor:
    """Stack maps `[4, 128, 256]` of rows in the order of their widths."""
    return torch.stack(sorted(rows, key=lambda row: int((row[3].amax(dim=0) > 0.5).sum())))


def resting_widths(data: Path) -> Tensor:
    """Return `[N]`: how wide closed mouths of portraits are, in inter-ocular distances."""
    faces = [f for f in portrait_landmarks(data).values() if mouth_opening(f) < CLOSED]
    return torch.stack([mouth_width(torch.from_numpy(face)[None]) for face in faces])


@torch.no_grad()
def fit_enamel(data: Path, translator: VisualTranslator) -> int:
    """Fit how enamel's colour follows the skin, by least squares; returns how many portraits told.

    Log colour over the root of the skin's brightness is linear in the `complexion`.
    """
    places = portrait_landmarks(data)
    held_out = held_out_people(places)
    seen, colours = [], []
    for name, points in places.items():
        if name.split("_")[0] in held_out or mouth_opening(points) < PARTED:
            continue
        image, landmarks = _face(data, name)
        teeth, colour = read_teeth(image, landmarks, torch.zeros(1, 2), scale=2)
        skin = complexion(image, landmarks, torch.zeros(1, 2), scale=2)
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
    picture = np.array(read_portrait(data, name))
    image = torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 255
    return image, torch.from_numpy(portrait_landmarks(data)[name])[None]


def mouth_width(landmarks: Tensor) -> Tensor:
    """Return the width between the corners of `[1, 79, 2]`, in inter-ocular distances."""
    width: Tensor = (landmarks[0, 54] - landmarks[0, 48]).norm() / face_frame(landmarks)[0][0]
    return width


def upper_row(image: Tensor, landmarks: Tensor, row: Row) -> Tensor:
    """Return `[4, 128, 256]`: the upper teeth, the incisors' edges on the middle row, and gums."""
    teeth, _ = read_teeth(image, landmarks, torch.zeros(1, 2), scale=2, shade=ALL_PIXELS)
    whole = _filled((*row.incisal, *row.bared))
    drawn = _with_gums(teeth[0, 0, :3].permute(1, 2, 0).numpy(), whole, SHADE, GLOW, GUM)
    return torch.from_numpy(_straightened(drawn, row)).permute(2, 0, 1)


def lower_row(image: Tensor, landmarks: Tensor, row: Row) -> Tensor:
    """Return `[4, 128, 256]`: the lower teeth, the incisors' edges on the middle row.

    Only the right half is traced; the left half is its mirror image. Upside down, they are cut out
    as upper ones are. Their crowns go on below what the lip bares. The light on them is taken away,
    because it falls off to the sides of a mouth.
    """
    teeth, _ = read_teeth(image, landmarks, torch.zeros(1, 2), scale=2, shade=ALL_PIXELS)
    turned = _mirrored(_upside_down(row))
    whole = _filled((*turned.incisal, *turned.bared))
    seen = _mirror_image(teeth[0, 1, :3].flip(1).permute(1, 2, 0).numpy(), row.middle)
    drawn = _with_gums(seen, whole, LOWER_SHADE, LOWER_GLOW, TEETH_HEIGHT)
    even = _evenly_lit(torch.from_numpy(_evened(drawn, turned)).permute(2, 0, 1))
    even[:3] *= _grooves(turned)
    return even.flip(1)


def _grooves(row: Row) -> Tensor:
    """Return `[256]`: the light on a row's columns that the grooves between its teeth leave."""
    notches = torch.tensor([row.incisal[i][0] for i in _notches(row)]) - row.middle
    across = torch.arange(TEETH_WIDTH) - TEETH_WIDTH / 2
    return 1 - GROOVE * torch.exp(-((across - notches[:, None]) / GROOVE_WIDE).square()).amax(dim=0)


def _upside_down(row: Row) -> Row:
    incisal, bared = (
        tuple((x, TEETH_HEIGHT - 1 - y) for x, y in line) for line in (row.incisal, row.bared)
    )
    return Row(row.middle, incisal, bared)


def _mirrored(half: Row) -> Row:
    """Return the row whose right half is given."""

    def turned(line: Points) -> Points:
        return tuple((2 * half.middle - x, y) for x, y in reversed(line))

    incisal, bared = half.incisal, half.bared
    return Row(half.middle, (*turned(incisal)[:-1], *incisal), (*bared, *turned(bared)[1:]))


def _mirror_image(colours: NDArray[np.float32], middle: float) -> NDArray[np.float32]:
    """Put the mirror image of what `[128, 256, 3]` shows to the right of a column to its left."""
    y, x = np.mgrid[:TEETH_HEIGHT, :TEETH_WIDTH].astype(np.float32)
    places = middle + np.abs(x - middle), y
    return np.asarray(cv2.remap(colours, *places, cv2.INTER_LINEAR), np.float32)


def _evenly_lit(row: Tensor) -> Tensor:
    """Take the light from the columns of an upside-down lower row `[4, 128, 256]`: the mean of its
    crowns becomes a grey of CROWN, and their contrast CONTRAST at most.
    """
    half = TEETH_HEIGHT // 2
    crowns, opacity = row[:3, half - CROWN_HEIGHT : half], row[3:, half - CROWN_HEIGHT : half]
    light = _blurred((crowns * opacity).sum(dim=1)) / _blurred(opacity.sum(dim=1)).clamp_min(1e-3)
    even = row[:3] / light[:, None].clamp_min(0.05) - 1
    front = even[:, half - CROWN_HEIGHT : half - LOWER_GLOW, FRONT].mean(dim=0)
    even = torch.lerp(even.mean(dim=0), even, COLOURED)
    colours = CROWN + even * (CONTRAST / front.std()).clamp_max(1)
    return torch.cat([colours.clamp(0, LIGHTEST_CROWN), row[3:]])


def _blurred(columns: Tensor) -> Tensor:
    """Return `[C, 256]`, blurred over LIT columns."""
    edge = cv2.BORDER_CONSTANT
    rows = [cv2.GaussianBlur(row[None], (0, 0), LIT, borderType=edge) for row in columns.numpy()]
    return torch.from_numpy(np.concatenate(rows))


def _straightened(drawn: NDArray[np.float32], row: Row) -> NDArray[np.float32]:
    """Move a row's middle to the map's, its incisors' edges to the middle row, its ends to the bow.

    A smile that is seen from below bends a row more than a face at rest shows it.
    """
    contour = np.array(row.incisal, np.float32)
    before, after = np.roll(contour, 1, axis=0), np.roll(contour, -1, axis=0)
    tips = contour[(contour[:, 1] >= before[:, 1]) & (contour[:, 1] >= after[:, 1])]
    edge = tips[:, 1].max()
    aside = (tips[:, 0] - row.middle) / HALF_ROW
    bend = (aside**2 * (edge - tips[:, 1])).sum() / (aside**4).sum()
    across = (np.arange(TEETH_WIDTH, dtype=np.float32) - TEETH_WIDTH / 2) / HALF_ROW
    lift = edge - TEETH_HEIGHT / 2 - (bend - BOW) * across**2
    return _moved(drawn, row.middle, lift, cv2.BORDER_CONSTANT)


def _evened(drawn: NDArray[np.float32], row: Row) -> NDArray[np.float32]:
    """Move a lower row, upside down, to the map's middle, and the edge of each tooth to the bow.

    The last one on either side goes half with its neighbour: partly in the dark, it would stick
    out.
    """
    contour = np.array(row.incisal, np.float32)
    teeth = np.split(contour, _notches(row))
    centres = np.array([(tooth[0, 0] + tooth[-1, 0]) / 2 for tooth in teeth]) - row.middle
    edges = np.array([tooth[:, 1].max() for tooth in teeth])
    lifts = edges - TEETH_HEIGHT / 2 + LOWER_BOW * (centres / HALF_ROW) ** 2
    lifts[[0, -1]] = (lifts[[0, -1]] + lifts[[1, -2]]) / 2
    across = np.arange(TEETH_WIDTH) - TEETH_WIDTH / 2
    lift = np.interp(across, centres, lifts).astype(np.float32)
    return _moved(drawn, row.middle, lift, cv2.BORDER_REPLICATE)


def _notches(row: Row) -> NDArray[np.intp]:
    """Return which points of an upside-down row's contour lie between two teeth."""
    y = np.array(row.incisal)[:, 1]
    return np.flatnonzero((y[1:-1] < y[:-2]) & (y[1:-1] < y[2:])) + 1


def _moved(
    drawn: NDArray[np.float32], middle: float, lift: NDArray[np.float32], border: int
) -> NDArray[np.float32]:
    """Move `[128, 256, 4]`: a column to the middle, and each column up by its `lift`, texels."""
    y, x = np.mgrid[:TEETH_HEIGHT, :TEETH_WIDTH].astype(np.float32)
    places = x + np.float32(middle - TEETH_WIDTH / 2), y + lift
    moved = np.dstack(
        [cv2.remap(m, *places, cv2.INTER_CUBIC, borderMode=border) for m in cv2.split(drawn)]
    )
    return np.asarray(moved.clip(0, [BRIGHTEST] * 3 + [1]), np.float32)


def _filled(outline: Points) -> NDArray[np.float32]:
    """Return the area `[128, 256]` within an outline, 0-1, with smooth edges."""
    fine = np.zeros((FINER * TEETH_HEIGHT, FINER * TEETH_WIDTH), np.uint8)
    cv2.fillPoly(fine, [np.round((np.array(outline) + 0.5) * FINER).astype(np.int32)], 1)
    area = cv2.resize(
        fine.astype(np.float32), (TEETH_WIDTH, TEETH_HEIGHT), interpolation=cv2.INTER_AREA
    )
    return np.asarray(area, np.float32)


def _with_gums(
    colours: NDArray[np.float32], whole: NDArray[np.float32], shade: int, glow: int, gum: int
) -> NDArray[np.float32]:
    """Return `[128, 256, 4]`: colours and opacity, with what the lip hides above filled in.

    Args:
        colours: `[128, 256, 3]`.
        whole: `[128, 256]`, 1 on the teeth and gums that are seen.
        shade, glow: texels along the lip and along the edge whose colours are not the teeth's own.
        gum: texels by which the row goes on above.
    """
    seen = np.min([whole, _lowered(whole, shade), _lowered(whole, -glow)], axis=0) > 0.9
    nearest = distance_transform_edt(~seen, return_distances=False, return_indices=True)
    tooth = colours[tuple(nearest)]
    filled = np.where(seen[..., None], tooth, cv2.GaussianBlur(tooth, (0, 0), 3.0))
    filled += SHARPENING * (filled - cv2.GaussianBlur(filled, (0, 0), FINE))
    tint = filled[whole * (filled.mean(axis=2) > ENAMEL) > 0.9].mean(axis=0)
    opacity = np.max([_lowered(whole, -step) for step in range(gum)], axis=0)
    opacity *= _faded(torch.from_numpy(whole.max(axis=0))).numpy()
    neutral = filled * (tint.mean() / tint)
    grey = neutral.mean(axis=2, keepdims=True)
    return np.dstack([grey + SATURATION * (neutral - grey), opacity]).astype(np.float32)


def _faded(tall: Tensor) -> Tensor:
    """Return `[256]`: 1 where a row is `tall` `[256]`, 0-1, falling to 0 within FADE of its ends:
    teeth that lie far back are in the dark.
    """
    inward = F.avg_pool1d(tall[None], FADE, 1, FADE // 2, count_include_pad=False)[0, : len(tall)]
    return tall * (2 * inward - 1).clamp(0, 1)


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
