"""Fit the map from a face caught at any moment to the same face at rest.

    python -m models.training.stage_one.fit_resting_face --data DIR --cache CACHE

Every training pair is synthetic: a face at rest, and the same face with speech, a smile, an emotion
or a movement of brows and lids added. The resting faces come from still portraits with closed,
unsmiling mouths, from people photographed neutral, and from speaking people at rest. The speech is
theirs; half of the smiles are photographed, everything else comes from ICT-FaceKit.

A second map is fitted to the same faces with broad smiles alone, half of them mirrored.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from media.emotions import EMOTIONS, Emotion
from media.faces.landmarks import MIRROR
from models.checkpoints import save_checkpoint
from models.corpus.alignment import fit_pose
from models.face.resting_face import FILE, MOVED, describe
from models.face.retargeting import axis_scales, lip_gaps, normal_frame, turn_head
from models.manifest import WEIGHTS
from models.training.stage_one.expressions import Expressions
from models.training.stage_one.speech_landmarks import SpeechClip, load_clips

Array = NDArray[np.float32]
Pair = tuple[Array, Array]

CLOSED, NARROW = 0.02, 0.85
"""Maximum opening and width, in inter-ocular units, of a still portrait's mouth that counts as at
rest.
"""
PAIRS = 60_000
DOUBT = 0.001
"""Standard deviation, in inter-ocular units, of the independent error of each point.

Chosen on training people who were left out of a fit, from single tracked frames.
"""
KEPT_OUT = 10
"""Every tenth person photographed neutral and smiling is kept out, for validation."""
SPEAKING, SMILING, SHOWING, RAISING = 0.7, 0.4, 0.15, 0.25
"""How often a made face speaks, smiles, shows an emotion, and moves its brows and lids alone."""
STRONGEST = 1.2
"""How strong a smile or an emotion may be, against one in full."""
SMILE = {"mouthSmile": 1.0, "mouthDimple": 0.4, "mouthUpperUp": 0.6, "mouthLowerDown": 0.8}
BROAD = 0.08
"""Inter-ocular units by which a broad smile widens the mouth."""
BROAD_SMILES, PHOTOGRAPHED, SPEAKING_TOO = (0.5, 1.8), 0.9, 0.1
"""How strong broad smiles may be, against photographed ones, how often they are photographed, and
how often they speak. Portraits show up to twice the photographed smiles.
"""
UPPER = {
    "browInnerUp": 1.0, "browOuterUp": 1.0, "browDown": 1.2, "eyeWide": 1.2, "eyeSquint": 0.8,
    "eyeBlink": 0.3, "cheekSquint": 0.6, "noseSneer": 0.6,
}  # fmt: skip
"""How strongly each facial action of a smile, and of brows and lids, may show."""
OFTEN = 0.4
"""How often each action of brows and lids is among those that move."""


@dataclass(frozen=True)
class RestingFaceConfig:
    """Number of values that describe a face, including the constant one."""

    features: int


def main() -> None:
    """Write models/weights/resting_face.safetensors."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    options = parser.parse_args()
    fit_file(WEIGHTS / FILE, options.data, options.cache, np.random.default_rng(0))


def fit_file(path: Path, data: Path, cache: Path, rng: np.random.Generator) -> None:
    """Fit to a data folder and a cache of its speech, and write the weights."""
    clips = [clip for clip in load_clips(cache / "clean.pt") if clip.split == "train"]
    landmarks = data / "landmarks"
    pairs = photographed_pairs(landmarks / "portraits.npz")[0]
    rests = still_rests(landmarks / "stills.npz") + speaking_rests(clips)
    rests += 2 * [neutral for neutral, _ in pairs]
    expressions = Expressions(landmarks / "ict68.npz")
    disturbances = Disturbances(clips, expressions, photographed_smiles(pairs))
    linear = fit(rests, disturbances.draw, rng)
    smiling = fit(rests, disturbances.draw_smile, rng, mirrored=0.5)
    tensors = {"linear": torch.from_numpy(linear), "smiling": torch.from_numpy(smiling)}
    save_checkpoint(path, tensors, RestingFaceConfig(len(linear)))


def still_rests(path: Path) -> list[Array]:
    """Return the still portraits `[79, 2]` with mouths at rest, in the normal form."""
    faces = list(_read_faces(path).values())
    return [f for f in faces if lip_gaps(f).max() < CLOSED and f[54, 0] - f[48, 0] < NARROW]


def photographed_pairs(path: Path) -> tuple[list[Pair], list[Pair]]:
    """Return people photographed neutral and smiling, in the normal form: to train on, kept out.

    Their portraits are named alike but for a last letter, n or s.
    """
    faces = _read_faces(path)
    people = sorted(name[:-2] for name in faces if name.endswith("_n") and f"{name[:-1]}s" in faces)
    pairs = [(faces[f"{person}_n"], faces[f"{person}_s"]) for person in people]
    kept_out = pairs[KEPT_OUT - 1 :: KEPT_OUT]
    return [pair for n, pair in enumerate(pairs, 1) if n % KEPT_OUT], kept_out


def photographed_smiles(pairs: Sequence[Pair]) -> list[Array]:
    """Return the displacements `[79, 2]` from neutral to smiling, for a typical face."""
    smiles = []
    for neutral, smiling in pairs:
        still = turn_head(smiling[None], -fit_pose(smiling[None], neutral))[0]
        smiles.append((still - neutral) / axis_scales(neutral))
    return smiles


def speaking_rests(clips: Sequence[SpeechClip], each: int = 40) -> list[Array]:
    """Return the resting faces `[79, 2]` of speaking people, at most `each` per person."""
    rests: dict[str, list[Array]] = {}
    for clip in clips:
        rests.setdefault(clip.person, []).append(clip.resting.numpy())
    return [rest for some in rests.values() for rest in some[:: max(1, len(some) // each)]]


@dataclass(frozen=True)
class Disturbances:
    """What may be seen on a face besides itself."""

    clips: Sequence[SpeechClip]
    expressions: Expressions
    smiles: Sequence[Array] = ()

    def draw(self, rng: np.random.Generator) -> Array:
        """Return a displacement `[79, 2]`, of a typical face."""
        moved = np.zeros((79, 2), np.float32)
        if rng.random() < SPEAKING:
            moved += self._speech(rng)
        if rng.random() < SMILING:
            moved += rng.uniform(0.0, STRONGEST) * self._smile(rng)
        if rng.random() < SHOWING:
            shown = EMOTIONS[int(rng.integers(len(EMOTIONS)))]
            moved += rng.uniform(0.0, STRONGEST) * self.expressions.show(Emotion(shown), rng)
        if rng.random() < RAISING:
            moved += self._raise(rng)
        return moved

    def draw_smile(self, rng: np.random.Generator) -> Array:
        """Return the displacement `[79, 2]` of a broad smile, of a typical face."""
        broad = [smile for smile in self.smiles if smile[54, 0] - smile[48, 0] > BROAD]
        strength = rng.uniform(*BROAD_SMILES)
        if broad and rng.random() < PHOTOGRAPHED:
            moved = strength * broad[int(rng.integers(len(broad)))]
        else:
            moved = strength * self._act(SMILE, rng)
        if rng.random() < SPEAKING_TOO:
            moved = moved + self._speech(rng)
        if rng.random() < RAISING:
            moved = moved + self._raise(rng)
        return np.asarray(moved, np.float32)

    def _speech(self, rng: np.random.Generator) -> Array:
        motion = self.clips[int(rng.integers(len(self.clips)))].motion
        said: Array = motion[int(rng.integers(len(motion)))].float().numpy()
        return said

    def _raise(self, rng: np.random.Generator) -> Array:
        return self._act({a: most for a, most in UPPER.items() if rng.random() < OFTEN}, rng)

    def _smile(self, rng: np.random.Generator) -> Array:
        if self.smiles and rng.random() < 0.5:
            return self.smiles[int(rng.integers(len(self.smiles)))]
        return self._act(SMILE, rng)

    def _act(self, strongest: dict[str, float], rng: np.random.Generator) -> Array:
        moved = np.zeros((79, 2), np.float32)
        for action, most in strongest.items():
            moved += rng.uniform(0.0, most) * self.expressions.act(action)
        return moved


def fit(
    rests: Sequence[Array],
    draw: Callable[[np.random.Generator], Array],
    rng: np.random.Generator,
    mirrored: float = 0.0,
) -> Array:
    """Return the regression `[F, 2 * len(MOVED)]` from a description to the displacement to rest.

    Each of its faces is one of `rests` with a displacement from `draw`, of a typical face, added;
    the share `mirrored` of them is turned left to right, so that few smiles teach no side.
    The uncertainty of each point acts as a ridge, which limits the weight of each direction.
    """
    seen, way = [], []
    for _ in range(PAIRS):
        rest = rests[int(rng.integers(len(rests)))]
        face = rest + draw(rng) * axis_scales(rest)
        if mirrored and rng.random() < mirrored:
            rest, face = _mirror(rest), _mirror(face)
        seen.append(describe(face))
        way.append((rest - face)[MOVED].ravel())
    x, y = np.array(seen), np.array(way)
    doubt = PAIRS * DOUBT**2 * np.eye(x.shape[1])
    return np.linalg.solve(x.T @ x + doubt, x.T @ y).astype(np.float32)


def _mirror(face: Array) -> Array:
    turned: Array = face[list(MIRROR)] * np.array([-1, 1], np.float32)
    return turned


def _read_faces(path: Path) -> dict[str, Array]:
    """Return landmarks `[79, 2]` in the normal form by name; none where there is no file."""
    if not path.exists():
        return {}
    with np.load(path) as file:
        pixels = {name: file[name].astype(np.float32) / 64.0 for name in file}
    return {name: normal_frame(face).to_normal(face) for name, face in pixels.items()}


if __name__ == "__main__":
    main()
