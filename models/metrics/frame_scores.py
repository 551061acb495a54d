"""Scores of the visual translator on unseen people: a table and a sheet of pictures."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from media.faces.landmarks import CROP_SIZE
from models.corpus.clips import at_side, mouth_opening, read_clip, read_landmarks
from models.landmarks_to_video.visual_translator import VisualTranslator
from models.metrics.baselines import warp_by_landmarks
from models.metrics.definitions import box, psnr, sharpness, ssim


@dataclass(frozen=True)
class Pair:
    """A portrait and a later frame of its clip, `[256, 256, 3]`, with landmarks `[79, 2]`."""

    portrait: NDArray[np.uint8]
    wanted: NDArray[np.uint8]
    source: NDArray[np.float32]
    target: NDArray[np.float32]


@dataclass(frozen=True)
class Scores:
    """Means over pairs: PSNR in dB, SSIM, and the mouth's sharpness over the real one's."""

    psnr: float
    ssim: float
    mouth_psnr: float
    eyes_psnr: float
    mouth_sharpness: float


Renderer = Callable[[Pair], NDArray[np.uint8]]


def validation_pairs(data: Path, name: str) -> list[Pair]:
    """Return the `pairs_of` every held-out clip of a set."""
    pairs = []
    for stem, landmarks in read_landmarks(data, name, "val").items():
        frames = read_clip(data / "clips" / name / "val" / f"{stem}.mp4")
        pairs += pairs_of(np.stack([at_side(frame, CROP_SIZE) for frame in frames]), landmarks)
    return pairs


def pairs_of(frames: NDArray[np.uint8], landmarks: NDArray[np.float32]) -> list[Pair]:
    """Pair a clip's first frame with its widest open mouth and with its last frame."""
    count = min(len(frames), len(landmarks))
    widest = 1 + int(np.argmax(mouth_opening(landmarks[1:count])))
    return [
        Pair(frames[0].copy(), frames[wanted].copy(), landmarks[0], landmarks[wanted])
        for wanted in sorted({widest, count - 1})
    ]


def baselines() -> dict[str, Renderer]:
    """Return the baselines: the portrait itself and the thin-plate warp alone."""
    return {"static source": lambda pair: pair.portrait, "prior alone": render_prior}


def render_prior(pair: Pair) -> NDArray[np.uint8]:
    """Warp the portrait by the thin-plate spline only."""
    return warp_by_landmarks(pair.portrait, pair.source, pair.target)


def translator_renderer(translator: VisualTranslator) -> Renderer:
    """Render one pair at a time with the network."""
    return lambda pair: translator.render(
        translator.prepare(pair.portrait, pair.source), pair.target[None]
    )[0]


def score(pairs: list[Pair], render: Renderer) -> Scores:
    """Average all scores over the pairs."""
    rows = [asdict(score_frame(render(pair), pair)) for pair in pairs]
    return Scores(**{name: float(np.mean([row[name] for row in rows])) for name in rows[0]})


def score_frame(frame: NDArray[np.uint8], pair: Pair) -> Scores:
    """Compare a rendered frame with its target."""
    mouth, eyes = box(pair.target[48:68]), box(pair.target[36:48])
    return Scores(
        psnr=psnr(frame, pair.wanted),
        ssim=ssim(frame, pair.wanted),
        mouth_psnr=psnr(frame[mouth], pair.wanted[mouth]),
        eyes_psnr=psnr(frame[eyes], pair.wanted[eyes]),
        mouth_sharpness=sharpness(frame[mouth]) / sharpness(pair.wanted[mouth]),
    )


def sample_sheet(pairs: list[Pair], render: Renderer) -> Image.Image:
    """Draw one row per pair: portrait, target, prior, rendered, and the last three's mouths
    enlarged.
    """
    rows = []
    for pair in pairs:
        frames = [pair.portrait, pair.wanted, render_prior(pair), render(pair)]
        centre = pair.target[48:68].mean(axis=0).round().astype(int)
        left, top = (int(v) for v in (centre - 40).clip(0, 176))
        mouths = [frame[top : top + 80, left : left + 80] for frame in frames[1:]]
        large = [
            np.asarray(Image.fromarray(m).resize((256, 256), Image.Resampling.BICUBIC))
            for m in mouths
        ]
        rows.append(np.concatenate([*frames, *large], axis=1))
    return Image.fromarray(np.concatenate(rows, axis=0))


def as_table(scores: dict[str, Scores]) -> str:
    """Return the scores as a Markdown table."""
    lines = [
        "| | PSNR | SSIM | mouth PSNR | eyes PSNR | mouth sharpness / real |",
        "|---|---|---|---|---|---|",
    ]
    for name, row in scores.items():
        figures = f"{row.psnr:.2f} | {row.ssim:.3f} | {row.mouth_psnr:.2f} | {row.eyes_psnr:.2f}"
        lines.append(f"| {name} | {figures} | {row.mouth_sharpness:.2f} |")
    return "\n".join(lines)
