"""Cut the creases that moving faces press into their skin out of film and photographs.

    python -m models.training.stage_two.fit_creases --data DIR

Pictures of one person are warped to the mean face, landmark on landmark, so that only shading is
left to differ: expression ratio images (Liu, Shan and Zhang, SIGGRAPH 2001), of which lines are
kept and the light is not. A mean over many people is a smear, as each has lines in other places.
So the maps come from few, whose lines are clean; those of a smile also from all London people.
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from media.faces.landmarks import CROP_EYE_LEVEL, CROP_INTEROCULARS, CROP_SIZE, MIRROR
from models.checkpoints import save_checkpoint
from models.corpus.clips import read_clip, read_landmarks
from models.corpus.portraits import held_out_people, portrait_landmarks, read_portrait
from models.face.retargeting import NormalFrame, normalize_landmarks
from models.landmarks_to_video.creases import FACE, FILE, MOVEMENTS, posture, upright
from models.landmarks_to_video.face_regions import signed_distance, window_origin
from models.landmarks_to_video.warping import spline_flow
from models.manifest import WEIGHTS

Points = NDArray[np.float32]
Map = NDArray[np.float32]

CROP_FRAME = NormalFrame(
    origin=np.array([CROP_SIZE / 2, CROP_SIZE * CROP_EYE_LEVEL], np.float32),
    axis=np.array([CROP_SIZE / CROP_INTEROCULARS, 0], np.float32),
)
"""Position of the mean face's normal form on a crop."""
DETAIL = 2
"""Pixels of the maps for each of a 256 px crop."""
SIDE = DETAIL * CROP_SIZE
DARKEST = 6.0
"""Level of 255 that is added before the logarithm, and below which light counts as no darker."""
FINEST, COARSEST = 1.5, 16.0
"""Deviations of the blurs, pixels of the maps, between which lines are kept."""
FROWNS = {("expressive", "d8"): 1.47, ("expressive", "d3"): 0.42, ("expressive", "d10"): 0.63}
RAISED_BROWS = ("expressive", "d7")
SNEERS = {
    ("meadx", "M026_level_3_disgusted_018"): 0.42,
    ("ravdess", "disgust_a01"): 0.24,
    ("expressive", "d18"): 0.42,
}
"""Clips whose lines are clean, and the weights of these."""
SMILES = ("l0763", "l0779", "l0718", "l0734", "l0782", "l0773", "l0726", "l0733")
"""London people with clear folds."""
SMILING = 0.36
"""Size of a smile, as `posture` has it, whose creases a fit to all London people gives."""
RAISED, SMILED = 2.6, 0.75
"""How many times as deep as filmed the lines of a smooth forehead are, and those of either kind of
smile.
"""
MOVED, AT_REST, FRONTAL = 10, 5, 0.12
"""One frame in so many shows a movement best, or least; and how far, in inter-ocular distances, a
nose's tip may have turned aside.
"""
LINES = {"frown": 14.0, "brows": 6.0}
"""Deviation of the blur that is subtracted to leave lines, pixels of the maps."""
RIMS = {"frown": 0.25, "brows": 0.6, "sneer": 0.35, "smile": 0.7}
"""How much of what lightens is kept."""


@dataclass(frozen=True)
class MapSizes:
    """What a checkpoint of creases says about its maps."""

    detail: int = DETAIL


def fit(data: Path) -> tuple[Map, Points]:
    """Return the maps `[K, h, w]` of `FACE` for `MOVEMENTS`, and the face `[79, 2]` they lie on."""
    face = mean_face(data)
    areas = Areas(face)
    frown = clips_lines(data, face, FROWNS, frowned)
    sneer = clips_lines(data, face, SNEERS, lip_raised)
    brows = RAISED * clip_lines(data, face, RAISED_BROWS, brows_raised)
    smile = symmetric(smile_lines(data, face))
    brows = lines(brows, "brows") * areas.forehead()
    inner = 1 - rise(np.abs(areas.x), 0.25, 0.5)
    maps = np.stack(
        [
            lines(frown, "frown") * areas.between_brows(),
            brows * inner,
            brows * (1 - inner),
            lines(sneer, "sneer") * areas.beside_nose(),
            lines(smile, "smile") * areas.cheeks(),
        ]
    )
    left, top = (DETAIL * window_origin(torch.from_numpy(face)[None], FACE)[0]).tolist()
    window = np.s_[:, top : top + DETAIL * FACE.height, left : left + DETAIL * FACE.width]
    return maps[window].astype(np.float32), face


def mean_face(data: Path) -> Points:
    """Return the mean, symmetric face `[79, 2]` of people photographed neutral, px of a crop."""
    tracked = portrait_landmarks(data)
    faces = np.stack([tracked[f"{person}_n"] for person in london_people(data)])
    mean = normalize_landmarks(faces).mean(axis=0)
    return CROP_FRAME.to_pixels((mean + mean[list(MIRROR)] * (-1, 1)) / 2).astype(np.float32)


def london_people(data: Path) -> list[str]:
    """Return those photographed neutral and smiling who are not held out."""
    tracked = portrait_landmarks(data)
    people = sorted(name[:-2] for name in tracked if name.endswith("_n"))
    return [p for p in people if f"{p}_s" in tracked and p not in held_out_people(tracked)]


def detail_of(picture: NDArray[np.uint8], landmarks: Points, face: Points) -> Map:
    """Return the fine shading `[SIDE, SIDE]`, log brightness, of a picture warped to a face.

    The picture is `[S, S, 3]`, its landmarks and the face's are `[79, 2]` px of a 256 px crop.
    """
    source, target = (torch.from_numpy(points)[None] for points in (landmarks, face))
    flow = spline_flow(source, target)[0].permute(1, 2, 0).numpy()
    ticks = (np.arange(SIDE) + 0.5) / DETAIL
    places = np.stack(np.meshgrid(ticks, ticks), axis=-1) + cv2.resize(flow, (SIDE, SIDE))
    places = (places * (len(picture) / CROP_SIZE) - 0.5).astype(np.float32)
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
    warped = cv2.remap(grey, places, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)  # type: ignore[call-overload]
    light = np.log(np.maximum(warped, DARKEST) + DARKEST)
    return np.asarray(smoothed(light, FINEST) - smoothed(light, COARSEST), np.float32)


def clips_lines(
    data: Path,
    face: Points,
    clips: Mapping[tuple[str, str], float],
    movement: Callable[[Points], Points],
) -> Map:
    """Return the weighted sum of what the clips show, both sides of the face alike."""
    shown = [weight * clip_lines(data, face, clip, movement) for clip, weight in clips.items()]
    return symmetric(np.sum(shown, axis=0))


def clip_lines(
    data: Path, face: Points, clip: tuple[str, str], movement: Callable[[Points], Points]
) -> Map:
    """Return the fine shading that a clip's frames have more of, the more they move."""
    name, stem = clip
    frames = read_clip(data / "clips" / name / "train" / f"{stem}.mp4")
    landmarks = read_landmarks(data, name, "train")[stem][: len(frames)]
    aside = upright(torch.from_numpy(landmarks))[:, 30, 0].numpy()
    frontal = np.flatnonzero(np.abs(aside - np.median(aside)) < FRONTAL)
    order = frontal[np.argsort(movement(landmarks)[frontal])]
    rest, moved = order[: len(order) // AT_REST], order[-(len(order) // MOVED) :]

    moved_lines, rest_lines = (
        np.mean([detail_of(frames[i], landmarks[i], face) for i in chosen], axis=0)
        for chosen in (moved, rest)
    )
    return np.asarray(moved_lines - rest_lines, np.float32)


def smile_lines(data: Path, face: Points) -> Map:
    """Return the fine shading that smiles add: that of few people, and of a fit to all."""
    tracked, people = portrait_landmarks(data), london_people(data)
    clear, sums, weight = np.zeros((SIDE, SIDE), np.float32), np.zeros((SIDE, SIDE)), 0.0
    for person in people:
        pair = [f"{person}_{look}" for look in "ns"]
        size = float(np.diff(measures(np.stack([tracked[p] for p in pair]))[:, 4])[0])
        rest, smile = (detail_of(read_portrait(data, p), tracked[p], face) for p in pair)
        sums, weight = sums + size * (smile - rest), weight + size**2
        if person in SMILES:
            clear += (smile - rest) / len(SMILES)
    return np.asarray(SMILED * (clear + SMILING * sums / weight), np.float32)


def measures(landmarks: Points) -> Points:
    """Return the `posture` `[T, K]` of `[T, 79, 2]`."""
    return np.asarray(posture(torch.from_numpy(landmarks)))


def frowned(landmarks: Points) -> Points:
    """Return how far brows are drawn together and down."""
    return measures(landmarks)[:, 0]


def brows_raised(landmarks: Points) -> Points:
    """Return how far brows are raised."""
    return np.asarray(measures(landmarks)[:, 1:3].mean(axis=1), np.float32)


def lip_raised(landmarks: Points) -> Points:
    """Return how near to the eyes and to the upper lip the nose's wings are."""
    y = upright(torch.from_numpy(landmarks))[..., 1].numpy()
    return np.asarray(-y[:, [31, 35]].mean(axis=1) - (y[:, 51] - y[:, 33]))


@dataclass(frozen=True)
class Areas:
    """Where on a face `[79, 2]` creases of each movement may lie: weights `[SIDE, SIDE]`, 0-1."""

    face: Points

    @property
    def x(self) -> Map:
        """Places to the right of the eyes' middle, in inter-ocular distances."""
        return self._places[..., 0]

    @property
    def y(self) -> Map:
        """Places below the eyes' middle, in inter-ocular distances."""
        return self._places[..., 1]

    def between_brows(self) -> Map:
        """Return where brows are drawn together."""
        narrow = (1 - rise(np.abs(self.x), 0.22, 0.34)) * (1 - rise(self.y, -0.32, -0.02))
        return self._ellipse(0, -0.42, 0.36, 0.6) * narrow

    def forehead(self) -> Map:
        """Return the forehead below the hair."""
        high = rise(-self.y, 0.51, 0.58) * (1 - rise(-self.y, 0.85, 0.98))
        return rise(self._off_brows(), 0.09, 0.18) * high * (1 - rise(np.abs(self.x), 0.62, 0.8))

    def beside_nose(self) -> Map:
        """Return the skin from the nose's wings to the mouth's corners."""
        nose = rise(-self._inside([27, *range(31, 36)]), 0.03, 0.08)
        sides = rise(np.abs(self.x), 0.2, 0.32) * self._off_lips()
        return self._ellipse(0.36, 0.78, 0.34, 0.62) * nose * sides

    def cheeks(self) -> Map:
        """Return the skin below and beside the eyes, down to the mouth's corners."""
        nose = rise(-self._inside([27, *range(31, 36)]), 0.04, 0.1)
        eyes = np.maximum(self._inside(range(36, 42)), self._inside(range(42, 48)))
        within = rise(self._inside([*range(17), *range(26, 16, -1)]), 0.08, 0.2)
        height = rise(self.y, -0.05, 0.1) * (1 - rise(self.y, 1.1, 1.3))
        sides = rise(np.abs(self.x), 0.12, 0.22)
        return self._off_lips() * nose * rise(-eyes, 0.04, 0.08) * within * height * sides

    @property
    def _pixels(self) -> Map:
        ticks = (np.arange(SIDE, dtype=np.float32) + 0.5) / DETAIL - 0.5
        return np.stack(np.meshgrid(ticks, ticks), axis=-1)

    @property
    def _places(self) -> Map:
        return np.asarray((self._pixels - CROP_FRAME.origin) / CROP_FRAME.axis[0], np.float32)

    def _inside(self, ring: Sequence[int]) -> Map:
        """Return how far inside a ring of landmarks pixels lie, in inter-ocular distances."""
        pixels = torch.from_numpy(self._pixels.reshape(1, -1, 2))
        depth = signed_distance(pixels, torch.from_numpy(self.face)[None, list(ring)])
        return np.asarray(depth.reshape(SIDE, SIDE).numpy() / CROP_FRAME.axis[0])

    def _off_lips(self) -> Map:
        return rise(-self._inside(range(48, 60)), 0.03, 0.09)

    def _off_brows(self) -> Map:
        """Return the distance from both brows, in inter-ocular distances."""
        beside = np.ones((SIDE, SIDE), np.uint8)
        for brow in (self.face[17:22], self.face[22:27]):
            cv2.polylines(beside, [(DETAIL * brow).round().astype(np.int32)], False, 0)
        away = cv2.distanceTransform(beside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        return np.asarray(away / (DETAIL * CROP_FRAME.axis[0]), np.float32)

    def _ellipse(self, x: float, y: float, width: float, height: float) -> Map:
        """Return 1 within 0.6 of two mirrored ellipses' half axes, and 0 outside of them."""
        across, down = (np.abs(self.x) - x) / width, (self.y - y) / height
        return 1 - rise(np.hypot(across, down), 0.6, 1.0)


def lines(shading: Map, kind: str) -> Map:
    """Return shading without what is broad, and with less of what lightens."""
    if kind in LINES:
        shading = shading - smoothed(shading, LINES[kind])
    return np.asarray(np.where(shading > 0, RIMS[kind] * shading, shading), np.float32)


def symmetric(shading: Map) -> Map:
    """Return the mean of a map `[h, w]` and its mirror image."""
    return np.asarray((shading + shading[:, ::-1]) / 2, np.float32)


def smoothed(picture: Map, deviation: float) -> Map:
    """Return `[h, w]` averaged with a Gaussian's weights."""
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), deviation), np.float32)


def rise(value: Map, start: float, end: float) -> Map:
    """Return 0 up to the start, 1 from the end on, and a share of 1 between them."""
    return np.asarray(np.clip((value - start) / (end - start), 0, 1), np.float32)


def main() -> None:
    """Write models/weights/creases.safetensors."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    maps, face = fit(parser.parse_args().data)
    state = {"maps": torch.from_numpy(maps), "landmarks": torch.from_numpy(face)}
    save_checkpoint(WEIGHTS / FILE, state, MapSizes())
    for movement, map_ in zip(MOVEMENTS, maps, strict=True):
        print(f"{movement}: {map_.min():.3f} to {map_.max():.3f}")


if __name__ == "__main__":
    main()
