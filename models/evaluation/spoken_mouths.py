"""Mouths in speech: does light fall into them as in film?

Measured on people kept out. The calmest frame of a clip, with closed lips, is the portrait; it is
rendered under the landmarks of frames whose lips are apart, and compared with these.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from media.faces.landmarks import CROP_SIZE
from models.corpus.clips import at_side, mouth_opening, read_clip, read_landmarks, spread
from models.corpus.manifest import held_out_clips
from models.evaluation.closed_portraits import CLOSED, contrast, inside_lips
from models.evaluation.report import Row, Table
from models.landmarks_to_video.mouth.complexion import complexion
from models.metrics.frame_scores import Pair, Renderer

SIDE = 512
CLASSES = (3.0, 6.0, 10.0, 16.0, np.inf)
"""Openings, px at 256 px a crop, that bound the classes of mouths."""
FRAMES_PER_CLIP = 16
CALMEST = 0.05
"""Share of a clip's frames with narrower openings than the portrait's."""


@dataclass(frozen=True)
class MouthScore:
    """What lies between the lips, rendered beside filmed.

    opening: px at 256 px a crop.
    light: brightness beside the skin's, rendered over filmed.
    error: root mean square difference, levels of 255.
    contrast: deviation of the Laplacian, rendered over filmed.
    """

    opening: float
    light: float
    error: float
    contrast: float


def spoken_pairs(data: Path) -> Iterator[Pair]:
    """Yield pairs of pictures `[512, 512, 3]` of the people kept out of sets at that size."""
    for row in held_out_clips(data):
        path = data / row["file"]
        frames = read_clip(path)
        if frames.shape[1] < SIDE:
            continue
        landmarks = read_landmarks(data, row["set"], row["split"])[path.stem]
        yield from _pairs(frames, landmarks)


def _pairs(frames: NDArray[np.uint8], landmarks: NDArray[np.float32]) -> Iterator[Pair]:
    openings = mouth_opening(landmarks[: len(frames)])
    order = np.argsort(openings)
    calm = order[int(CALMEST * len(order))]
    if openings[calm] > CLOSED:
        return
    parted = [int(i) for i in order if openings[i] > CLASSES[0]]
    portrait = at_side(frames[calm], SIDE)
    for wanted in spread(parted, FRAMES_PER_CLIP):
        yield Pair(portrait, at_side(frames[wanted], SIDE), landmarks[calm], landmarks[wanted])


def spoken_mouth_table(render: Renderer, pairs: Sequence[Pair]) -> Table:
    """Compare the inside of mouths by how far they are open."""
    scores = [score_mouth(render(pair), pair) for pair in tqdm(pairs, desc="mouths")]
    rows: list[Row] = []
    for narrow, wide in pairwise(CLASSES):
        group = [s for s in scores if narrow <= s.opening < wide]
        light, error, ratio = (
            [getattr(s, name) for s in group] for name in ("light", "error", "contrast")
        )
        rows.append(
            {
                "opening px": f"{narrow:.0f}-{wide:.0f}" if wide < np.inf else f"{narrow:.0f}+",
                "mouths": len(group),
                "light / filmed": float(np.mean(light)) if group else None,
                "error": float(np.sqrt(np.mean(np.square(error)))) if group else None,
                "contrast / filmed": float(np.median(ratio)) if group else None,
            }
        )
    note = (
        "Closed portraits under the landmarks of later frames of the same film, inside the lips: "
        "brightness beside the skin's, root mean square error in levels, and deviation of the "
        "Laplacian (median)."
    )
    return Table("Mouths in speech", note, rows)


def score_mouth(frame: NDArray[np.uint8], pair: Pair) -> MouthScore:
    """Compare what lies between the lips of a rendered frame with the filmed one."""
    inside = inside_lips(pair.target, len(frame))
    light, filmed_light = (_light(p, pair.target, inside) for p in (frame, pair.wanted))
    difference = frame[inside].astype(np.float32) - pair.wanted[inside]
    return MouthScore(
        opening=float(mouth_opening(pair.target)),
        light=light / filmed_light,
        error=float(np.sqrt(np.square(difference).mean())),
        contrast=contrast(frame, inside) / contrast(pair.wanted, inside),
    )


def _light(
    picture: NDArray[np.uint8], landmarks: NDArray[np.float32], inside: NDArray[np.bool_]
) -> float:
    """Return the mean brightness of some pixels over that of the skin around the mouth."""
    image = torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 255
    points = torch.from_numpy(landmarks)[None]
    skin = complexion(image, points, torch.zeros(1, 2), len(picture) // CROP_SIZE)[0, 0].exp()
    return float(picture[inside].mean() / 255 / skin)
