"""How far one unit of an action unit's intensity moves a face: calibrated on real landmarks.

Each unit is a direction on the face, a blendshape of ICT-FaceKit (MIT). How much of it corresponds
to one unit of OpenFace's intensity is fitted by least squares to

* the recording of which both action units and landmarks are known, frame by frame,
* the mean way from neutral to smiling of the London set, whose smiles are taken to be as strong as
  the actors' strong happiness,

and to a prior: a quarter of the blendshape, the same for all units.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from media.emotions import Emotion
from models.corpus.alignment import hold_still
from models.corpus.manifest import HELD_OUT_PEOPLE
from models.face.retargeting import axis_scales, normal_frame
from models.speech_to_landmarks.action_unit_flow import PERFORMED
from models.training.stage_one.action_units import (
    FRAMES_FILE,
    RECORDED,
    UnitMeans,
    actor_of,
    is_held_out,
    label_of,
    movement,
)
from models.training.stage_one.expressions import Expressions, keep_lips_together

Array = NDArray[np.float64]

BLENDSHAPES = {
    "AU01": ["browInnerUp"], "AU02": ["browOuterUp"], "AU04": ["browDown"], "AU05": ["eyeWide"],
    "AU06": ["cheekSquint"], "AU07": ["eyeSquint"], "AU09": ["noseSneer"],
    "AU10": ["mouthUpperUp"], "AU12": ["mouthSmile"], "AU14": ["mouthDimple"],
    "AU15": ["mouthFrown"], "AU17": ["mouthShrugLower"], "AU20": ["mouthStretch"],
    "AU23": ["mouthPress", "mouthRollLower"],
}  # fmt: skip
SPOKEN = ["jawOpen", "mouthLowerDown", "mouthPucker", "mouthFunnel", "mouthClose", "eyeBlink"]
"""Blendshapes of speech and blinking, fitted freely along with the others, then dropped."""
BELIEVED, DOUBT = 0.25, 0.08
"""Share of a blendshape that one unit is, and its deviation over units."""
LEAST, MOST = 0.1, 0.5
SMILING = ("AU06", "AU12", "AU14")
"""The units of a posed smile."""
NOISE = 0.02
"""Deviation of what the units do not explain, in inter-ocular units."""
MEADX = (Emotion.DISGUST, Emotion.HAPPINESS, Emotion.SURPRISE)
"""What meadx's clips act."""
PAIRED = "03-01-07-02-02-01-01"
PAIRED_CLIP = "disgust_a01"
FRAMES_A_SAMPLE = 15.0
"""Number of video frames that count as one independent observation."""


@dataclass(frozen=True)
class UnitTrack:
    """A recording's movement `[T, 14]` of action units, and what is acted in it."""

    name: str
    label: Emotion
    units: NDArray[np.float32]


def read_unit_tracks(data: Path) -> list[UnitTrack]:
    """Return the movement of every recording of an actor trained on."""
    with np.load(data / FRAMES_FILE) as file:
        return [
            UnitTrack(name, label_of(name), movement(file[name].astype(np.float32)))
            for name in file.files
            if not is_held_out(actor_of(name))
        ]


def calibrate(data: Path, means: Sequence[UnitMeans]) -> dict[str, float]:
    """Return the share of its blendshape that one unit of each action unit is."""
    # Imported here because the import takes seconds.
    from scipy.optimize import lsq_linear

    expressions = Expressions(data / "landmarks" / "ict68.npz")
    shapes = np.stack([_direction(expressions, BLENDSHAPES[unit]) for unit in PERFORMED])
    spoken = np.stack([_direction(expressions, [name]) for name in SPOKEN])
    rows = [_from_recording(data, shapes, spoken), _from_smiles(data, means, shapes, spoken)]
    belief = np.eye(len(PERFORMED)) / DOUBT, np.full(len(PERFORMED), BELIEVED) / DOUBT
    design = np.concatenate([*(design for design, _ in rows), belief[0]])
    wanted = np.concatenate([*(wanted for _, wanted in rows), belief[1]])
    found = lsq_linear(design, wanted, bounds=(LEAST, MOST)).x  # type: ignore[operator]
    return dict(zip(PERFORMED, map(float, found), strict=True))


REGIONS = {
    "brows": (("AU01", "AU02", "AU04"), [20, 21, 22, 23]),
    "lids": (("AU05", "AU06", "AU07"), [40, 41, 46, 47]),
    "mouth": (("AU09", "AU10", "AU12", "AU14", "AU15", "AU17", "AU20", "AU23"), [48, 50, 52, 54]),
}
"""Units, and points by whose rise and fall their spread is matched."""
CALM_HEADS = 0.5
"""Share of talkvid's people whose heads turn least; turning heads move brows in the picture."""


def match_spread(
    data: Path, scales: dict[str, float], clips: Sequence[UnitTrack]
) -> dict[str, float]:
    """Return scales at which each region moves over time as far as on film.

    A fit to noisy units gives too small a slope. The factor is a geometric mean: of what the paired
    recording asks for and, for brows, what people talking and acting in other sets do; for the
    rest, where no more is known, of that and of 1, at which the smiles are right.
    """
    seen = basis(data, scales).sum(0).numpy()
    paired = next(clip for clip in clips if clip.name == PAIRED)
    factors = {
        "brows": [
            _film(data, "ravdess", "brows") / _spread([paired], seen, "brows"),
            _film(data, "talkvid", "brows") / _spread(clips, seen, "brows"),
            _film(data, "meadx", "brows") / _spread(_acted_as(clips, MEADX), seen, "brows"),
        ],
        "lids": [1.0, _film(data, "ravdess", "lids") / _spread([paired], seen, "lids")],
        "mouth": [1.0, _film(data, "ravdess", "mouth") / _spread([paired], seen, "mouth")],
    }
    means = {region: float(np.exp(np.mean(np.log(found)))) for region, found in factors.items()}
    return {
        unit: scales[unit] * means[region]
        for region, (units, _) in REGIONS.items()
        for unit in units
    }


def _acted_as(clips: Sequence[UnitTrack], emotions: Sequence[Emotion]) -> list[UnitTrack]:
    return [clip for clip in clips if clip.label in emotions]


def _spread(clips: Sequence[UnitTrack], seen: NDArray[np.float32], region: str) -> float:
    """Return the mean deviation over time of a region that units move."""
    points = REGIONS[region][1]
    moved = [np.einsum("tk,kp->tp", clip.units, seen[:, points, 1]) for clip in clips]
    return float(np.mean([track.std(axis=0).mean() for track in moved]))


def _film(data: Path, name: str, region: str) -> float:
    """Return the same of a set's training clips, the half of them whose heads turn least."""
    points = REGIONS[region][1]
    spreads, turns = [], []
    with np.load(data / "landmarks" / f"{name}_train.npz") as file:
        for stem in file.files:
            if f"{name}_{stem}" in HELD_OUT_PEOPLE:
                continue
            still, pose = hold_still(file[stem].astype(np.float32) / 64.0)
            still = still / axis_scales(still.mean(axis=0))
            spreads.append(still[:, points, 1].std(axis=0).mean())
            turns.append(pose[:, 4:].std(axis=0).sum())
    calm = np.argsort(turns)[: max(1, round(CALM_HEADS * len(turns)))]
    return float(np.mean(np.array(spreads)[calm]))


def basis(data: Path, scales: dict[str, float]) -> Tensor:
    """Return displacements `[2, 14, 79, 2]` of one unit by halves of the face; lips stay shut."""
    expressions = Expressions(data / "landmarks" / "ict68.npz")
    halves = [
        [_half(expressions, unit, side) * scales[unit] for unit in PERFORMED] for side in "LR"
    ]
    return torch.from_numpy(np.array(halves, np.float32))


def _half(expressions: Expressions, unit: str, side: str) -> NDArray[np.float32]:
    """Return the displacement `[79, 2]` of one half of a unit's whole blendshape."""
    shapes = [expressions.half(name, side) for name in BLENDSHAPES[unit]]
    return keep_lips_together(np.sum(shapes, axis=0))


def _direction(expressions: Expressions, names: Sequence[str]) -> Array:
    moved: Array = np.sum([expressions.act(name) for name in names], axis=0).astype(np.float64)
    return moved


def _from_recording(data: Path, shapes: Array, spoken: Array) -> tuple[Array, Array]:
    """Return rows of the fit from the recording that has landmarks and action units."""
    with np.load(data / "landmarks" / "ravdess_train.npz") as file:
        still, _ = hold_still(file[PAIRED_CLIP].astype(np.float32) / 64.0)
    with np.load(data / FRAMES_FILE) as file:
        units = movement(file[PAIRED].astype(np.float32))
    frames = min(len(still), len(units))
    moved = (still[:frames] - still[:frames].mean(axis=0)) / axis_scales(still.mean(axis=0))
    free, kept = _free_of(spoken), moved.reshape(frames, -1)
    design = np.einsum("tk,kd->tdk", units[:frames], shapes.reshape(len(shapes), -1) @ free)
    weight = 1.0 / (NOISE * np.sqrt(FRAMES_A_SAMPLE))
    return weight * design.reshape(-1, len(shapes)), weight * (kept @ free).ravel()


def _from_smiles(
    data: Path, means: Sequence[UnitMeans], shapes: Array, spoken: Array
) -> tuple[Array, Array]:
    """Return rows of the fit from the London set's smiles."""
    smile = mean_smile(data)
    strong = _mean_units(means, Emotion.HAPPINESS, 1.0) - _mean_units(means, Emotion.NEUTRAL, 0.0)
    free = _free_of(spoken[:2])
    posed = np.where(np.isin(PERFORMED, SMILING), strong, 0.0)
    flat = shapes.reshape(len(shapes), -1) * posed[:, None]
    return (flat @ free).T / NOISE, (smile.ravel() @ free) / NOISE


def _free_of(directions: Array) -> Array:
    """Return the projection `[D, D]` that takes directions `[J, 79, 2]` out."""
    flat = directions.reshape(len(directions), -1)
    axes = np.linalg.svd(flat, full_matrices=False)[2]
    out: Array = np.eye(flat.shape[1]) - axes.T @ axes
    return out


def mean_smile(data: Path) -> Array:
    """Return `[79, 2]` the mean way from neutral to smiling, people kept out left out."""
    with np.load(data / "landmarks" / "portraits.npz") as file:
        faces = {name: _normal(file[name]) for name in file.files}
    ways = [
        (faces[name[:-1] + "s"] - face) / axis_scales(face)
        for name, face in faces.items()
        if name.startswith("l") and name.endswith("_n") and name[:-1] + "s" in faces
    ]
    out: Array = np.mean(ways, axis=0).astype(np.float64)
    return out


def _normal(pixels: NDArray[np.int16]) -> NDArray[np.float32]:
    face = pixels.reshape(-1, 79, 2)[0].astype(np.float32) / 64.0
    return normal_frame(face).to_normal(face)


def _mean_units(means: Sequence[UnitMeans], emotion: Emotion, strength: float) -> Array:
    chosen = [
        clip.units
        for clip in means
        if clip.label is emotion and clip.strength == strength and not is_held_out(clip.actor)
    ]
    columns = [RECORDED.index(unit) for unit in PERFORMED]
    out: Array = np.mean(chosen, axis=0)[columns].astype(np.float64)
    return out
