"""Train both stages of models/weights from a data folder.

    python -m models.training --data DIR --out DIR [--minutes-landmarks N] [--minutes-video N]

If interrupted, the same command resumes. The output folder contains the caches, one folder per
training, and `weights`, a complete folder that can replace models/weights. Both validation tables
are printed at the end. Runs on several GPUs, or processes, under torchrun.
"""

import argparse
import json
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from models.face.covering import CHECKPOINT as COVERING
from models.face.resting_face import FILE as RESTING_FACE
from models.landmarks_to_video.creases import FILE as CREASES
from models.landmarks_to_video.visual_translator import CHECKPOINT as TRANSLATOR
from models.manifest import MANIFEST, WEIGHTS, sha256_of
from models.speech_to_landmarks.facial_action import FILE as FACIAL_ACTION
from models.speech_to_landmarks.voice_activity import CHECKPOINT as VOICE_ACTIVITY
from models.training.common.compute import Compute, open_compute
from models.training.common.session import STATE
from models.training.stage_one import emotional_speech, speech_landmarks
from models.training.stage_one import train as stage_one
from models.training.stage_one.fit_resting_face import fit_file
from models.training.stage_two import train as stage_two
from models.training.stage_two.trainer import Options

SPEECH_ENCODER = "speech_encoder.safetensors"
LANDMARKS = stage_one.CHECKPOINT
VARIANTS = 2
GIVEN = (SPEECH_ENCODER, VOICE_ACTIVITY, FACIAL_ACTION, COVERING, CREASES)
"""Shipped weights that this does not train."""


@dataclass(frozen=True)
class Recipe:
    """What is trained, on what, and for how long."""

    data: Path
    out: Path
    minutes_landmarks: float
    minutes_video: float
    vgg: Path | None = None
    seed: int = 0

    @property
    def cache(self) -> Path:
        """The folder of the encoded speech."""
        return self.out / "cache"

    @property
    def weights(self) -> Path:
        """Where the trained weights are gathered."""
        return self.out / "weights"


def main() -> None:
    """Read the command line and train."""
    parser = argparse.ArgumentParser(
        prog="python -m models.training",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes-landmarks", type=float, default=40.0)
    parser.add_argument("--minutes-video", type=float, default=120.0)
    parser.add_argument("--vgg", type=Path, help="see models.training.stage_two.train")
    parser.add_argument("--seed", type=int, default=Recipe.seed)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, default=1)
    values = vars(parser.parse_args())
    with open_compute(values.pop("device"), values.pop("threads")) as compute:
        train_all(Recipe(**values), compute)


def train_all(recipe: Recipe, compute: Compute) -> None:
    """Take the five steps in order, each from where it was left, and gather the weights."""
    compute.in_turn(lambda: prepare_speech(recipe))
    compute.in_turn(lambda: fit_resting_face(recipe))
    landmarks, video = recipe.out / "landmark_generator", recipe.out / "visual_translator"
    stage_one.train(
        stage_one.TrainingOptions(
            data=recipe.data,
            cache=recipe.cache,
            out=landmarks,
            minutes=recipe.minutes_landmarks,
            resume=(landmarks / STATE).exists(),
            seed=recipe.seed,
        ),
        compute,
    )
    stage_two.train(
        Options(
            data=recipe.data,
            out=video,
            minutes=recipe.minutes_video,
            vgg=recipe.vgg,
            seed=recipe.seed,
            resume=True,
        ),
        compute,
    )
    if compute.leads:
        given = [WEIGHTS / name for name in GIVEN]
        gather(recipe.weights, [*given, landmarks / LANDMARKS, video / TRANSLATOR])


def prepare_speech(recipe: Recipe) -> None:
    """Encode all speech, unless that is done."""
    if not (recipe.cache / speech_landmarks.PLAIN_SPEECH).exists():
        speech_landmarks.prepare(recipe.data, recipe.cache, VARIANTS)
    if not (recipe.cache / emotional_speech.DISTURBED).exists():
        emotional_speech.prepare(recipe.data, recipe.cache)


def fit_resting_face(recipe: Recipe) -> None:
    """Fit the map to a portrait's face at rest, unless that is done."""
    path = recipe.weights / RESTING_FACE
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    fit_file(path, recipe.data, recipe.cache, np.random.default_rng(recipe.seed))


def gather(folder: Path, files: Iterable[Path]) -> None:
    """Add weights to those that the folder's manifest already names."""
    folder.mkdir(parents=True, exist_ok=True)
    manifest = folder / MANIFEST
    digests = json.loads(manifest.read_text()) if manifest.exists() else {}
    for path in files:
        shutil.copyfile(path, folder / path.name)
        digests[path.name] = sha256_of(path)
    manifest.write_text(json.dumps(digests, indent=2, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
