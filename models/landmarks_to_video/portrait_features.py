"""What rendering needs to know of a portrait, read once."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from media.faces.landmarks import CROP_SIZE
from models.landmarks_to_video.creases import Creases
from models.landmarks_to_video.eyes.glasses import Glasses
from models.landmarks_to_video.monochrome import Palette
from models.landmarks_to_video.mouth.bare_lips import BareLips
from models.landmarks_to_video.mouth.lip_edge import LowerLipEdge
from models.landmarks_to_video.mouth.open_mouth import OpenMouth
from models.landmarks_to_video.painted_window import Window
from models.landmarks_to_video.smile_folds import SmileFolds


@dataclass(frozen=True)
class PortraitFeatures:
    """A prepared portrait, on the translator's device.

    crop: `[S, S, 3]` RGB, S 256 or 512.
    image: `[1, 3, S, S]` the same, float32 in 0-1.
    thumbnail: `[1, 3, 64, 64]`.
    landmarks: `[1, 79, 2]` px of a 256 px crop, whatever S.
    teeth: `[1, 2, 4, 128, 256]` other people's that fit (see `dentition`).
    mouth: what it shows between its lips, if they are open.
    lips: what they show where they close.
    lip_edge: where the lower one of open lips ends; `landmarks` have it so already.
    skin: `[1, COMPLEXION]` the colours around the mouth.
    slant: `[1]` by how much the light around the mouth grows to the right.
    palette: the colours of a portrait with a single hue, or None.
    mobility: `[1, 1, 64, 64]` weights of the motion, 0 on a background that stays, or None.
    glasses: those that it shows, if any.
    folds: those of its smile, or None.
    creases: those that it has when it moves, or None.
    """

    crop: NDArray[np.uint8]
    image: Tensor
    thumbnail: Tensor
    landmarks: Tensor
    teeth: Tensor
    mouth: OpenMouth | None
    lips: BareLips
    lip_edge: LowerLipEdge | None
    skin: Tensor
    slant: Tensor
    palette: Palette | None = None
    mobility: Tensor | None = None
    glasses: Glasses | None = None
    folds: SmileFolds | None = None
    creases: Creases | None = None

    @property
    def scale(self) -> int:
        """Pixels of the image for each pixel of a 256 px crop: 1 or 2."""
        return self.image.shape[-1] // CROP_SIZE

    def window(self, flow: Tensor, target: Tensor, origin: Tensor) -> Window:
        """Return the window at `origin` that a painter paints under landmarks `[B, 79, 2]`."""
        image, source, teeth, skin, slant = (
            shared.expand(len(target), *shared.shape[1:])
            for shared in (self.image, self.landmarks, self.teeth, self.skin, self.slant)
        )
        lips, shift = self.lips.expand(len(target)), torch.zeros_like(origin)
        known = teeth, self.scale, skin, slant, self.mouth, lips
        return Window(image, shift, flow, source, target, origin, *known)
