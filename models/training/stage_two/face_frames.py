"""Frames of talking faces with their landmarks, decoded once into one memory-mapped array.

Of each clip the frames that differ most in mouth opening are kept, so that a pair of them teaches
something. A synthetic portrait with an open mouth is followed by copies with its lips warped shut,
half shut and wider: portraits from which its own teeth are wanted back.
"""

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from models.corpus.clips import LANDMARK_SCALE, mouth_opening, read_clip, read_landmarks
from models.face.landmarks import CROP_SIZE
from models.landmarks_to_video.face_regions import signed_distance
from models.landmarks_to_video.warping import pixel_grid, sample, thin_plate_flow

FRAMES_PER_CLIP = {"lrcar": 12, "expressive": 96, "mead": 8, "crema-d": 8}
USUAL_FRAMES_PER_CLIP = 24
"""Where nothing else is said: a corpus of many clips needs fewer of each."""
STILL_MIN_OPENING = 4.0
STILL_CLOSURES = (1.0, 0.5, -0.4)
"""How far a portrait's lips are warped together for the frames that are added to it."""
CLOSED_GAP = 1.0
"""Pixels that stay between the lips of a portrait warped shut."""
LIP_LINE = 0.5
"""Brightness of the line between closed lips, relative to the lips."""


@dataclass(frozen=True)
class FaceFrames:
    """N frames: pictures, landmarks, and for each the clip it is from.

    images `[N, 256, 256, 3]` uint8, landmarks `[N, 79, 2]` float32 px, clips `[N]` (running number;
    frames of one clip lie together), sets `[N]` (index into `names`).
    """

    images: NDArray[np.uint8]
    landmarks: NDArray[np.float32]
    clips: NDArray[np.int32]
    sets: NDArray[np.int32]
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.clips)


def open_face_frames(data: Path, cache: Path) -> FaceFrames:
    """Map the training frames into memory, decoding them first (minutes) if `cache` is empty."""
    if not (cache / "table.npz").exists():
        _build(data, cache)
    table = np.load(cache / "table.npz")
    names = tuple(json.loads((cache / "sets.json").read_text()))
    images = np.load(cache / "images.npy", mmap_mode="r")
    return FaceFrames(images, table["landmarks"], table["clips"], table["sets"], names)


def training_sets(data: Path) -> tuple[str, ...]:
    """Return the sets with clips to train on, as the manifest orders them, and the stills."""
    return (*dict.fromkeys(row["set"] for row in _training_rows(data)), "stills")


def _training_rows(data: Path) -> list[dict[str, str]]:
    with (data / "manifest.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    return [row for row in rows if row["split"] == "train" and row["file"].startswith("clips/")]


def _build(data: Path, cache: Path) -> None:
    cache.mkdir(parents=True, exist_ok=True)
    total = sum(count for *_, count in _clips(data)) + (1 + len(STILL_CLOSURES)) * len(
        _open_stills(data)
    )
    images = np.lib.format.open_memmap(
        cache / "images.npy", mode="w+", dtype=np.uint8, shape=(total, CROP_SIZE, CROP_SIZE, 3)
    )
    names = training_sets(data)
    landmarks: list[NDArray[np.float32]] = []
    clips: list[int] = []
    sets: list[int] = []
    for number, (name, pictures, points) in enumerate(_sequences(data)):
        start = len(clips)
        images[start : start + len(pictures)] = pictures
        landmarks.extend(points)
        clips.extend([number] * len(points))
        sets.extend([names.index(name)] * len(points))
    images.flush()
    (cache / "sets.json").write_text(json.dumps(names))
    np.savez(
        cache / "table.npz",
        landmarks=np.stack(landmarks),
        clips=np.array(clips, np.int32),
        sets=np.array(sets, np.int32),
    )


def _sequences(data: Path) -> Iterator[tuple[str, NDArray[np.uint8], NDArray[np.float32]]]:
    """Yield each clip's set, kept frames and landmarks."""
    for name, path, landmarks, count in _clips(data):
        keep = _spread(landmarks, count)
        yield name, read_clip(path)[keep], landmarks[keep]
    for path, points in _open_stills(data):
        original = np.asarray(Image.open(path).convert("RGB"))
        faces = [(original, points), *(move_lips(original, points, c) for c in STILL_CLOSURES)]
        pictures, landmarks = zip(*faces, strict=True)
        yield "stills", np.stack(pictures), np.stack(landmarks)


def _clips(data: Path) -> Iterator[tuple[str, Path, NDArray[np.float32], int]]:
    """Yield set, path, landmarks and the number of frames to keep of each training clip."""
    rows = _training_rows(data)
    tracked = {name: read_landmarks(data, name, "train") for name in {row["set"] for row in rows}}
    for row in rows:
        landmarks = tracked[row["set"]].get(Path(row["file"]).stem)
        if landmarks is not None:
            wanted = FRAMES_PER_CLIP.get(row["set"], USUAL_FRAMES_PER_CLIP)
            yield row["set"], data / row["file"], landmarks, min(wanted, len(landmarks))


def _spread(landmarks: NDArray[np.float32], count: int) -> NDArray[np.int64]:
    """Choose `count` frames evenly by rank of mouth opening, widest and narrowest included."""
    ranks = np.argsort(mouth_opening(landmarks))
    return np.sort(ranks[np.linspace(0, len(ranks) - 1, count).round().astype(int)])


def _open_stills(data: Path) -> list[tuple[Path, NDArray[np.float32]]]:
    path = data / "landmarks" / "stills.npz"
    if not path.exists():
        return []
    archive = np.load(path)
    faces = [
        (data / "stills" / f"{stem}.jpg", archive[stem].astype(np.float32) / LANDMARK_SCALE)
        for stem in archive
    ]
    return [(path, points) for path, points in faces if mouth_opening(points) > STILL_MIN_OPENING]


def move_lips(
    image: NDArray[np.uint8], landmarks: NDArray[np.float32], closure: float
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Warp a portrait `[256, 256, 3]` so that its lips close; return it with its new landmarks.

    A `closure` of 1 makes the lips meet, less leaves them apart, a negative one parts them further.
    """
    moved = _closed_landmarks(landmarks, closure)
    grid = pixel_grid(CROP_SIZE, CROP_SIZE)
    flow = thin_plate_flow(
        torch.from_numpy(moved)[None],
        torch.from_numpy(landmarks)[None],
        grid.reshape(1, -1, 2),
        regularization=1e-7,
    )
    picture = torch.from_numpy(image.copy()).permute(2, 0, 1)[None].float()
    warped = sample(picture, grid[None] + flow.reshape(1, CROP_SIZE, CROP_SIZE, 2))
    if closure == 1:
        warped = _draw_lip_line(warped, torch.from_numpy(moved))
    return warped[0].permute(1, 2, 0).round().clamp(0, 255).byte().numpy(), moved


def _closed_landmarks(landmarks: NDArray[np.float32], closure: float) -> NDArray[np.float32]:
    """Bring the lips together, the lower one four times as far as the upper, and the chin along."""
    moved = landmarks.copy()
    gap = (landmarks[67:64:-1] - landmarks[61:64]) * closure
    rise, fall = 0.8 * gap, 0.2 * gap
    moved[65:68] -= rise[::-1]
    moved[61:64] += fall
    if closure == 1:
        moved[65:68, 1] += CLOSED_GAP
    moved[55:60] -= rise.mean(axis=0) * np.array([[0.6], [0.95], [1.0], [0.95], [0.6]])
    moved[49:54] += fall.mean(axis=0) * 0.6
    moved[6:11] -= rise.mean(axis=0) * np.array([[0.5], [0.75], [0.8], [0.75], [0.5]])
    return moved


def _draw_lip_line(picture: Tensor, landmarks: Tensor) -> Tensor:
    """Paint what the warp squeezed between the lips in dark lip colour, lest it betray teeth."""
    middles = (
        landmarks[[49, 50, 51, 52, 53, 55, 56, 57, 58, 59]]
        + landmarks[[61, 61, 62, 63, 63, 65, 65, 66, 67, 67]]
    ) / 2
    lips = sample(picture, middles[None, None]).mean(dim=(2, 3), keepdim=True)
    cells = pixel_grid(CROP_SIZE, CROP_SIZE).reshape(1, -1, 2)
    distance = signed_distance(cells, landmarks[None, 60:68]).reshape(1, 1, CROP_SIZE, CROP_SIZE)
    line = torch.sigmoid(2 * (distance + 1.0))
    return torch.lerp(picture, lips * LIP_LINE, line)
