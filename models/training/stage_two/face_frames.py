"""Frames of talking faces with their landmarks, decoded once into one memory-mapped array.

Of each clip the frames that differ most in mouth opening are kept, so that a pair of them teaches
something. A portrait with an open mouth is followed by copies with its lips warped shut, half shut
and wider, and by the same person's neutral face where there is one: portraits from which its own
teeth are wanted back. At 512 px, the real portraits take the place of the synthetic ones.
"""

import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from media.faces.landmarks import CROP_SIZE
from models.corpus.clips import LANDMARK_SCALE, at_side, mouth_opening, read_clip, read_landmarks
from models.corpus.manifest import HELD_OUT_PEOPLE
from models.corpus.portraits import held_out_people
from models.landmarks_to_video.face_regions import signed_distance
from models.landmarks_to_video.warping import (
    flow_coordinates,
    pixel_grid,
    sample,
    thin_plate_flow,
    upsample_flow,
)

FRAMES_PER_CLIP = {"lrcar": 12, "expressive": 96, "mead": 8, "crema-d": 8}
USUAL_FRAMES_PER_CLIP = 24
"""Default number of frames per clip; a corpus of many clips needs fewer."""
STILL_MIN_OPENING = 4.0
STILL_CLOSURES = (1.0, 0.5, -0.4)
"""How far a portrait's lips are warped together for its additional frames."""
NODES = 2
"""Pixels between the nodes on which a portrait's warp is computed."""
CLOSED_GAP = 1.0
"""Pixels that remain between the lips of a portrait warped shut."""
LIP_LINE = 0.5
"""Brightness of the line between closed lips, relative to the lips."""


FINE_SETS = frozenset({"talkvid", "meadx", "ravdess"})
"""Sets whose clips have 512 px; what is prepared here has 256."""
PORTRAITS = frozenset({"stills", "portraits"})
"""Sets of pictures: each shows its first frame in truth, the others are sources to it."""


@dataclass(frozen=True)
class FaceFrames:
    """N frames: pictures, landmarks, and for each the clip it is from.

    images `[N, S, S, 3]` uint8, S 256 or 512, landmarks `[N, 79, 2]` float32 px of a 256 px crop,
    clips `[N]` (running number; frames of one clip lie together), sets `[N]` (index into `names`).
    """

    images: NDArray[np.uint8]
    landmarks: NDArray[np.float32]
    clips: NDArray[np.int32]
    sets: NDArray[np.int32]
    names: tuple[str, ...]

    @property
    def scale(self) -> int:
        """Pixels of a picture for each of a 256 px crop: 1 or 2."""
        return int(self.images.shape[1]) // CROP_SIZE

    def __len__(self) -> int:
        return len(self.clips)


def open_face_frames(data: Path, cache: Path, scale: int = 1) -> FaceFrames:
    """Map the training frames into memory, decoding them first (minutes) if `cache` is empty.

    At a scale of 2 they have 512 px, and only sets that have as many take part.
    """
    if not (cache / "table.npz").exists():
        _build(data, cache, scale)
    table = np.load(cache / "table.npz")
    names = tuple(json.loads((cache / "sets.json").read_text()))
    # Copied on write, because torch does not take arrays that cannot be written.
    images = np.load(cache / "images.npy", mmap_mode="c")
    return FaceFrames(images, table["landmarks"], table["clips"], table["sets"], names)


def training_sets(data: Path, scale: int = 1) -> tuple[str, ...]:
    """Return the sets with clips to train on, as the manifest orders them, and the portraits."""
    names = dict.fromkeys(row["set"] for row in _training_rows(data, scale))
    return (*names, "portraits" if scale > 1 else "stills")


def _training_rows(data: Path, scale: int) -> list[dict[str, str]]:
    with (data / "manifest.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    return [
        row
        for row in rows
        if row["split"] == "train"
        and row["file"].startswith("clips/")
        and row.get("frames") != "0"
        and row["identity"] not in HELD_OUT_PEOPLE
        and (scale == 1 or row["set"] in FINE_SETS)
    ]


def _build(data: Path, cache: Path, scale: int) -> None:
    cache.mkdir(parents=True, exist_ok=True)
    names = training_sets(data, scale)
    total = sum(count for *_, count in _clips(data, scale))
    total += sum(
        len(sources) + 1 + len(STILL_CLOSURES) for *_, sources in _open_stills(data, scale)
    )
    side = CROP_SIZE * scale
    images = np.lib.format.open_memmap(
        cache / "images.npy", mode="w+", dtype=np.uint8, shape=(total, side, side, 3)
    )
    landmarks: list[NDArray[np.float32]] = []
    clips: list[int] = []
    sets: list[int] = []
    for number, (name, pictures, points) in enumerate(_sequences(data, scale)):
        start = len(clips)
        for row, picture in enumerate(pictures, start):
            images[row] = at_side(picture, side)
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


def count_frames(data: Path, scale: int) -> int:
    """Return how many frames the training sets give at a scale; 0 where none has the pixels."""
    filmed = sum(count for *_, count in _clips(data, scale))
    stills = _open_stills(data, scale)
    return filmed + sum(1 + len(sources) + len(STILL_CLOSURES) for *_, sources in stills)


def _sequences(
    data: Path, scale: int
) -> Iterator[tuple[str, Sequence[NDArray[np.uint8]], NDArray[np.float32]]]:
    """Yield each clip's set, kept frames and landmarks."""
    for name, path, landmarks, count in _clips(data, scale):
        keep = _spread(landmarks, count)
        yield name, list(read_clip(path)[keep]), landmarks[keep]
    name = training_sets(data, scale)[-1]
    for path, points, sources in _open_stills(data, scale):
        original = _picture(path)
        faces = [
            (original, points),
            *((_picture(other), places) for other, places in sources),
            *(move_lips(original, points, c) for c in STILL_CLOSURES),
        ]
        pictures, landmarks = zip(*faces, strict=True)
        yield name, pictures, np.stack(landmarks)


def _picture(path: Path) -> NDArray[np.uint8]:
    return np.asarray(Image.open(path).convert("RGB"))


def _clips(data: Path, scale: int) -> Iterator[tuple[str, Path, NDArray[np.float32], int]]:
    """Yield set, path, landmarks and the number of frames to keep of each training clip."""
    rows = _training_rows(data, scale)
    tracked = {name: read_landmarks(data, name, "train") for name in {row["set"] for row in rows}}
    for row in rows:
        landmarks = tracked[row["set"]].get(Path(row["file"]).stem)
        if landmarks is not None:
            wanted = FRAMES_PER_CLIP.get(row["set"], USUAL_FRAMES_PER_CLIP)
            yield row["set"], data / row["file"], landmarks, min(wanted, len(landmarks))


def _spread(landmarks: NDArray[np.float32], count: int) -> NDArray[np.int64]:
    """Choose `count` frames evenly by rank of mouth opening, including the widest and narrowest."""
    ranks = np.argsort(mouth_opening(landmarks))
    return np.sort(ranks[np.linspace(0, len(ranks) - 1, count).round().astype(int)])


def _open_stills(
    data: Path, scale: int
) -> list[tuple[Path, NDArray[np.float32], list[tuple[Path, NDArray[np.float32]]]]]:
    """Return portraits with open mouths, their landmarks, and the same people's neutral faces."""
    name = "portraits" if scale > 1 else "stills"
    path = data / "landmarks" / f"{name}.npz"
    if not path.exists():
        return []
    archive = np.load(path)
    faces = {
        stem: (data / name / f"{stem}.jpg", archive[stem].astype(np.float32) / LANDMARK_SCALE)
        for stem in archive
        if stem.split("_")[0] not in held_out_people(archive.files)
    }
    return [
        (path, points, [faces[n] for n in [stem.replace("_s", "_n")] if n != stem and n in faces])
        for stem, (path, points) in faces.items()
        if mouth_opening(points) > STILL_MIN_OPENING
    ]


def stills_to_train_on(data: Path, scale: int) -> frozenset[Path]:
    """Return the pictures of a scale from which training frames are made."""
    stills = _open_stills(data, scale)
    return frozenset(path for still, _, others in stills for path in (still, *dict(others)))


def move_lips(
    image: NDArray[np.uint8], landmarks: NDArray[np.float32], closure: float
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Warp a portrait `[S, S, 3]` so that its lips close; return it with its new landmarks.

    S is 256 or 512; landmarks are px of a 256 px crop either way.

    A `closure` of 1 makes the lips meet, less leaves them apart, a negative one parts them further.
    """
    moved = _closed_landmarks(landmarks, closure)
    scale = len(image) // CROP_SIZE
    nodes = CROP_SIZE // NODES
    grid = pixel_grid(nodes, nodes, NODES).reshape(1, -1, 2)
    flow = thin_plate_flow(
        torch.from_numpy(moved)[None], torch.from_numpy(landmarks)[None], grid, regularization=1e-7
    )
    flow = upsample_flow(flow.transpose(1, 2).reshape(1, 2, nodes, nodes), NODES * scale)
    picture = torch.from_numpy(image.copy()).permute(2, 0, 1)[None].float()
    warped = sample(picture, flow_coordinates(flow, 1 / scale), scale)
    if closure == 1:
        warped = _draw_lip_line(warped, torch.from_numpy(moved), scale)
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


def _draw_lip_line(picture: Tensor, landmarks: Tensor, scale: int) -> Tensor:
    """Paint over what the warp squeezed between the lips in dark lip colour, so that no teeth
    remain.
    """
    middles = (
        landmarks[[49, 50, 51, 52, 53, 55, 56, 57, 58, 59]]
        + landmarks[[61, 61, 62, 63, 63, 65, 65, 66, 67, 67]]
    ) / 2
    lips = sample(picture, middles[None, None], scale).mean(dim=(2, 3), keepdim=True)
    side = CROP_SIZE * scale
    cells = pixel_grid(side, side, 1 / scale).reshape(1, -1, 2)
    distance = signed_distance(cells, landmarks[None, 60:68]).reshape(1, 1, side, side)
    line = torch.sigmoid(2 * (distance + 1.0))
    return torch.lerp(picture, lips * LIP_LINE, line)
