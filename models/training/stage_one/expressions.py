"""The look of emotions: facial actions of a morphable face, put together for each emotion.

The actions are those that EMFACS lists (Friesen and Ekman, 1983); their offsets come from
ICT-FaceKit (MIT), seen from the front. The amounts are found by looking, and with two networks that
recognize expressions, on portraits that no figure is measured on. A smile's are fitted to the
displacement between neutral and smiling photographs of 86 people.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from media.emotions import Emotion
from media.faces.landmarks import NUM_LANDMARKS
from models.face.retargeting import LOWER_INNER, OUTER_OVER_INNER, UPPER_INNER

Array = NDArray[np.float32]

# Per emotion: the strength of each facial action when the emotion is strong. A name without _L or
# _R stands for both sides.
ACTIONS: dict[Emotion, dict[str, float]] = {
    Emotion.NEUTRAL: {},
    Emotion.HAPPINESS: {
        "mouthSmile": 1.4, "jawOpen": 0.3, "mouthRollUpper": 0.2, "mouthDimple": 0.15,
        "cheekSquint": 0.4, "cheekRaiser": 0.35, "eyeSquint": 0.1,
    },
    Emotion.SADNESS: {
        "browInnerUp": 1.9, "browDown": 0.9, "mouthFrown": 1.2, "mouthRollLower": 0.15,
        "mouthShrugLower": 0.45, "eyeBlink": 0.28,
    },
    Emotion.ANGER: {
        "browDown": 1.9, "browInnerUp": -0.3, "eyeSquint": 0.8, "eyeWide": 0.6, "noseSneer": 1.0,
        "mouthStretch": 0.6, "mouthFrown": 0.7, "mouthPress": 0.8, "jawOpen": -0.25,
    },
    Emotion.FEAR: {
        "browInnerUp": 1.9, "browOuterUp": 0.3, "browDown": 0.8, "eyeWide": 1.6,
        "eyeSquint": 0.4, "mouthStretch": 0.7, "jawOpen": 0.2,
    },
    Emotion.DISGUST: {
        "noseSneer": 1.2, "mouthUpperUp": 1.4, "browDown": 0.8, "cheekSquint": 0.6,
        "cheekRaiser": 0.3, "eyeSquint": 1.1, "eyeBlink": 0.35, "mouthFrown": 1.6,
        "mouthShrugLower": 0.6, "mouthRollUpper": 0.3,
    },
    Emotion.SURPRISE: {
        "browInnerUp": 1.5, "browOuterUp": 1.0, "eyeWide": 1.7, "mouthPucker": 0.15,
        "mouthFunnel": 0.1, "jawOpen": 0.2,
    },
    Emotion.CONTEMPT: {
        "mouthSmile_L": 0.2, "mouthDimple_L": 1.2, "mouthUpperUp_L": 0.5, "noseSneer_L": 0.5,
        "mouthPress": 0.15, "mouthFrown_R": 0.1, "jawOpen": 0.1, "cheekSquint_L": 0.5,
        "eyeBlink": 0.4, "eyeSquint": 0.2, "browDown_L": 0.6, "browDown_R": 0.15,
        "browOuterUp_R": 0.65, "browInnerUp_R": 0.2,
    },
}  # fmt: skip

FOREHEAD_FOLLOWS = {70: 17, 71: 18, 72: 19, 73: 20, 75: 23, 76: 24, 77: 25, 78: 26}
"""The brow point that each upper forehead point follows, and by which share."""
FOREHEAD_SHARE = 0.25


class Expressions:
    """The facial actions of one `ict68.npz`, as displacements in inter-ocular units."""

    def __init__(self, path: Path) -> None:
        with np.load(path, allow_pickle=False) as file:
            names = [str(name) for name in file["expression_names"]]
            offsets, neutral = file["expression"], file["neutral"]
        eyes = neutral[[36, 39, 42, 45]]
        inter_ocular = np.linalg.norm(eyes[:2].mean(0) - eyes[2:].mean(0))
        self._offsets = {
            name: _front(offset / inter_ocular) for name, offset in zip(names, offsets, strict=True)
        }

    def show(self, emotion: Emotion, rng: np.random.Generator | None = None) -> Array:
        """Return a strong emotion's displacement `[79, 2]`; with `rng`, a random variant."""
        shown = np.zeros((NUM_LANDMARKS, 2), np.float32)
        for action, amount in ACTIONS[emotion].items():
            vary = 1.0 if rng is None else rng.uniform(0.5, 1.4)
            for side in self._sides(action):
                uneven = 1.0 if rng is None else rng.uniform(0.85, 1.15)
                shown += amount * vary * uneven * self._offsets[side]
        return keep_lips_together(shown)

    def act(self, action: str) -> Array:
        """Return the displacement `[79, 2]` of one facial action in full, on both sides."""
        moved: Array = np.sum([self._offsets[side] for side in self._sides(action)], axis=0)
        return moved

    def half(self, action: str, side: str) -> Array:
        """Return the displacement `[79, 2]` of an action's left (L) or right (R) half.

        An action of the middle of the face is split evenly.
        """
        if action in self._offsets:
            return 0.5 * self._offsets[action]
        return self._offsets[f"{action}_{side}"]

    def _sides(self, action: str) -> list[str]:
        if action in self._offsets:
            return [action]
        return [f"{action}_L", f"{action}_R"]


def keep_lips_together(displacement: Array) -> Array:
    """Return the displacement `[79, 2]` with each pair of inner lip points moved together.

    Only speech opens the lips: an emotion that did would prevent every closure.
    """
    together = displacement.copy()
    middle = (displacement[UPPER_INNER, 1] + displacement[LOWER_INNER, 1]) / 2
    together[UPPER_INNER, 1] = middle
    together[LOWER_INNER, 1] = middle
    for outer, inner in OUTER_OVER_INNER.items():
        together[outer, 1] += together[inner, 1] - displacement[inner, 1]
    return together


def _front(offset: NDArray[np.float64]) -> Array:
    """Project offsets `[68, 3]`, y up, to the front view: `[79, 2]`."""
    seen = np.zeros((NUM_LANDMARKS, 2), np.float32)
    seen[:68] = offset[:, :2] * (1.0, -1.0)
    for forehead, brow in FOREHEAD_FOLLOWS.items():
        seen[forehead] = FOREHEAD_SHARE * seen[brow]
    seen[74] = FOREHEAD_SHARE * (seen[20] + seen[23]) / 2
    return seen
