"""Fit the map from a face at any moment to the same face with its mouth at rest.

    python -m models.training.stage_one.fit_resting_mouth --data DIR --cache CACHE

All training pairs are synthetic: a face with its mouth at rest, and the same face with speech
motion and a smile added. The resting faces are the closed, unsmiling mouths among still portraits
and the rest poses of the speaking people; the motion is theirs, the smile is ICT-FaceKit's.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from models.checkpoints import save_checkpoint
from models.face.resting_mouth import FILE, MOVED, describe
from models.face.retargeting import axis_scales, lip_gaps, normal_frame
from models.manifest import WEIGHTS
from models.training.stage_one.expressions import Expressions
from models.training.stage_one.speech_landmarks import SpeechClip, load_clips

Array = NDArray[np.float32]

CLOSED, NARROW = 0.02, 0.85
"""Maximum opening and width, in inter-ocular units, of a still portrait's mouth that counts as at
rest.
"""
PAIRS = 60_000
DOUBT = 0.001
"""Standard deviation, in inter-ocular units, of the independent error of each point.

Chosen on training people who were left out of a fit, from single tracked frames.
"""
SMILE = {"mouthSmile": 1.0, "mouthDimple": 0.4, "mouthUpperUp": 0.6, "mouthLowerDown": 0.8}
"""Maximum strength of each facial action of a smile."""


@dataclass(frozen=True)
class RestingMouthConfig:
    """Number of values that describe a face, including the constant one."""

    features: int


def main() -> None:
    """Write models/weights/resting_mouth.safetensors."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    clips = [clip for clip in load_clips(options.cache / "clean.pt") if clip.split == "train"]
    rests = still_rests(options.data / "landmarks" / "stills.npz") + speaking_rests(clips)
    expressions = Expressions(options.data / "landmarks" / "ict68.npz")
    linear = fit(rests, clips, expressions, rng)
    tensors = {"linear": torch.from_numpy(linear)}
    save_checkpoint(WEIGHTS / FILE, tensors, RestingMouthConfig(len(linear)))


def still_rests(path: Path) -> list[Array]:
    """Return the still portraits `[79, 2]` with mouths at rest, in the normal form."""
    with np.load(path) as file:
        pixels = [file[name].astype(np.float32) / 64.0 for name in file]
    faces = [normal_frame(face).to_normal(face) for face in pixels]
    return [f for f in faces if lip_gaps(f).max() < CLOSED and f[54, 0] - f[48, 0] < NARROW]


def speaking_rests(clips: Sequence[SpeechClip], each: int = 40) -> list[Array]:
    """Return the resting faces `[79, 2]` of speaking people, at most `each` per person."""
    rests: dict[str, list[Array]] = {}
    for clip in clips:
        rests.setdefault(clip.person, []).append(clip.resting.numpy())
    return [rest for some in rests.values() for rest in some[:: max(1, len(some) // each)]]


def fit(
    rests: Sequence[Array],
    clips: Sequence[SpeechClip],
    expressions: Expressions,
    rng: np.random.Generator,
) -> Array:
    """Return the regression `[F, 2 * len(MOVED)]` from a description to the displacement to rest.

    The uncertainty of each point acts as a ridge, which limits the weight of each direction.
    """
    seen, way = [], []
    for _ in range(PAIRS):
        rest = rests[int(rng.integers(len(rests)))]
        face = rest + disturbance(clips, expressions, rng) * axis_scales(rest)
        seen.append(describe(face))
        way.append((rest - face)[MOVED].ravel())
    x, y = np.array(seen), np.array(way)
    doubt = PAIRS * DOUBT**2 * np.eye(x.shape[1])
    return np.linalg.solve(x.T @ x + doubt, x.T @ y).astype(np.float32)


def disturbance(
    clips: Sequence[SpeechClip], expressions: Expressions, rng: np.random.Generator
) -> Array:
    """Return a displacement `[79, 2]` of speech, a smile, both or neither."""
    moved = np.zeros((79, 2), np.float32)
    if rng.random() < 0.7:
        motion = clips[int(rng.integers(len(clips)))].motion
        moved += motion[int(rng.integers(len(motion)))].float().numpy()
    if rng.random() < 0.5:
        strength = rng.uniform(0.0, 1.2)
        for action, most in SMILE.items():
            moved += strength * rng.uniform(0.0, most) * expressions.act(action)
    return moved


if __name__ == "__main__":
    main()
