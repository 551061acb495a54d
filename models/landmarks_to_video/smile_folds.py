"""The folds that a smile presses into the cheeks, and the skin that they leave behind.

A warp brings cheeks and lips to rest. Folds are shading: they stay, and the face looks pinched.
Here what is darker than the skin around it, beside nose and mouth, takes that skin's colour as the
smile goes. Some of it belongs to the face: as much stays as people photographed neutral have.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from media.faces.landmarks import CROP_SIZE
from models.landmarks_to_video.face_regions import (
    MOUTH,
    feather,
    signed_distance,
    window_flow,
    window_origin,
)
from models.landmarks_to_video.frame_drawing import Layer
from models.landmarks_to_video.mouth.bare_lips import blurred
from models.landmarks_to_video.mouth.lip_shape import broadness, smile_gone
from models.landmarks_to_video.ramps import rise
from models.landmarks_to_video.upright import face_frame
from models.landmarks_to_video.warping import (
    FLOW_STRIDE,
    flow_coordinates,
    pixel_grid,
    sample,
    upsample_flow,
)

CHEEKS = replace(MOUTH, name="cheeks", width=120, height=80)
COARSE = 2
"""Pixels of a 256 px crop for each at which folds are looked for."""
JAW, BROWS, NOSE, OUTER_LIPS = range(17), range(26, 16, -1), (27, *range(31, 36)), range(48, 60)
LIPS_CLEAR, NOSE_CLEAR, EDGE_CLEAR = (0.04, 0.09), (0.07, 0.14), (0.06, 0.15)
"""Distances from the lips, the nose and the face's edge, in inter-ocular distances, up to which
nothing is a fold, and from which it may be one.
"""
BELOW_EYES, ABOVE_CHIN = (0.3, 0.45), (0.1, 0.25)
"""The same for heights below the eyes and above the chin."""
AROUND = 0.085
"""Deviation of the average over the skin around, in inter-ocular distances."""
FOLD, HAIR = (0.01, 0.13), (0.5, 0.7)
"""How much darker than the skin around, as a share of its light, a fold begins and is in full, and
from which on it gives way to hair or a rim.
"""
NEUTRAL, STRONGEST = 0.013, 0.7
"""Mean darkness of folds in 51 people photographed neutral, and the most that is taken away."""
FEATHER = 12
"""Pixels over which the layer fades in from its window's edge."""


@dataclass(frozen=True)
class SmileFolds:
    """A smiling portrait's folds.

    skin: `[B, 4, 128, 128]` of the crop: the colour of the skin without them, 0-1, multiplied by
        its opacity, and the opacity, 0-1.
    """

    skin: Tensor

    def smoothed(self, source: Tensor, target: Tensor, flow: Tensor, scale: int) -> Layer:
        """Return what takes the folds away where the smile of `source` has gone in `target`.

        Args:
            source: the portrait's landmarks, `[B, 79, 2]` px of a 256 px crop.
            target: the wanted landmarks, alike.
            flow: `[B, 2, 64, 64]` px, of the warp.
            scale: pixels of the layer for each of a 256 px crop.
        """
        origin = window_origin(target, CHEEKS)
        moved = upsample_flow(window_flow(flow, origin, CHEEKS).float(), FLOW_STRIDE // COARSE)
        places = flow_coordinates(moved, COARSE) + origin[:, None, None]
        skin = sample(self.skin.expand(len(target), -1, -1, -1), (places + 0.5) / COARSE - 0.5)
        fine = upsample_flow(smile_gone(target, source)[:, None, None, None] * skin, COARSE * scale)
        fine = feather(CHEEKS, FEATHER, scale).to(fine) * fine
        return Layer(origin, torch.zeros_like(fine[:, :2]), fine[:, :3], fine[:, 3:])


def smile_folds(image: Tensor, landmarks: Tensor, scale: int = 1) -> SmileFolds | None:
    """Find the folds of a portrait `[1, 3, S, S]`, 0-1, of landmarks `[1, 79, 2]`; None without a
    smile.

    S is 256 times `scale`, landmarks are in px of a 256 px crop.
    """
    broad = broadness(landmarks)[:, None, None, None]
    if not bool(broad.any()):
        return None
    picture = F.avg_pool2d(image, COARSE * scale)
    cheeks, skin = _regions(landmarks)
    deviation = float(AROUND * face_frame(landmarks)[0]) / COARSE
    around = _average(picture, skin, deviation)
    light, usual = (colour.mean(dim=1, keepdim=True) for colour in (picture, around))
    darker = (1 - light / usual.clamp_min(0.02)).clamp_min(0)
    fold = cheeks * rise(darker, *FOLD) * (1 - rise(darker, *HAIR))
    around = _average(picture, skin * (1 - fold), deviation)
    depth = (cheeks * darker).sum(dim=(2, 3), keepdim=True) / cheeks.sum(dim=(2, 3), keepdim=True)
    taken = (1 - NEUTRAL / depth.clamp_min(NEUTRAL)).clamp_max(STRONGEST)
    opacity = broad * taken * F.avg_pool2d(fold, 3, 1, 1)
    return SmileFolds(torch.cat([opacity * around, opacity], dim=1))


def _regions(landmarks: Tensor) -> tuple[Tensor, Tensor]:
    """Return `[1, 1, 128, 128]` each in 0-1: where folds may lie, and what is skin."""
    side = CROP_SIZE // COARSE
    cells = pixel_grid(side, side, COARSE).to(landmarks).reshape(1, -1, 2)
    unit, _ = face_frame(landmarks)
    lips, nose, face = (
        (signed_distance(cells, landmarks[:, list(ring)]) / unit).reshape(1, 1, side, side)
        for ring in (OUTER_LIPS, NOSE, (*JAW, *BROWS))
    )
    y = cells[..., 1].reshape(1, 1, side, side)
    below_eyes = (y - landmarks[:, 36:48, 1].mean()) / unit
    above_chin = (landmarks[:, 8, 1] - y) / unit
    cheeks = rise(-lips, *LIPS_CLEAR) * rise(-nose, *NOSE_CLEAR) * rise(face, *EDGE_CLEAR)
    cheeks = cheeks * rise(below_eyes, *BELOW_EYES) * rise(above_chin, *ABOVE_CHIN)
    return cheeks, rise(-lips, 0.02, 0.05) * rise(-nose, 0.0, 0.05) * rise(face, 0.0, 0.06)


def _average(picture: Tensor, known: Tensor, deviation: float) -> Tensor:
    """Return the mean colour `[1, 3, h, w]` around each pixel, of what is `known`."""
    sums = blurred(torch.cat([picture * known, known], dim=1), deviation)
    return sums[:, :3] / (sums[:, 3:] + 1e-3)
