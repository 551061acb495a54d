"""How good the visual translator is on people it has not seen: a table and a sheet to look at."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from models.training.face_frames import mouth_opening, read_clip, read_landmarks
from models.visual_translator import VisualTranslator
from models.warping import FLOW_STRIDE, flow_coordinates, sample, spline_flow, upsample_flow

BOX_MARGIN = 6
"""Pixels added around the mouth's and the eyes' landmarks."""
LUMA = (0.299, 0.587, 0.114)
SSIM_CONSTANTS = (0.01**2, 0.03**2)


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


def validation_pairs(data: Path, name: str = "lrcar") -> list[Pair]:
    """Pair each held-out clip's first frame with its widest open mouth and with its last frame."""
    pairs = []
    for stem, landmarks in read_landmarks(data, name, "val").items():
        frames = read_clip(data / "clips" / name / "val" / f"{stem}.mp4")
        count = min(len(frames), len(landmarks))
        widest = 1 + int(np.argmax(mouth_opening(landmarks[1:count])))
        pairs += [
            Pair(frames[0], frames[wanted], landmarks[0], landmarks[wanted])
            for wanted in sorted({widest, count - 1})
        ]
    return pairs


def baselines() -> dict[str, Renderer]:
    """Return the portrait itself and the thin-plate warp alone."""
    return {"static source": lambda pair: pair.portrait, "prior alone": render_prior}


def render_prior(pair: Pair) -> NDArray[np.uint8]:
    """Warp the portrait by the thin-plate spline and nothing else."""
    source, target = (torch.from_numpy(points)[None] for points in (pair.source, pair.target))
    flow = upsample_flow(spline_flow(source, target), FLOW_STRIDE)
    picture = torch.from_numpy(pair.portrait.copy()).permute(2, 0, 1)[None].float()
    warped = sample(picture, flow_coordinates(flow))
    return warped[0].permute(1, 2, 0).round().clamp(0, 255).byte().numpy()


def translator_renderer(translator: VisualTranslator) -> Renderer:
    """Render one pair at a time with the network."""
    return lambda pair: translator.render(
        translator.prepare(pair.portrait, pair.source), pair.target[None]
    )[0]


def score(pairs: list[Pair], render: Renderer) -> Scores:
    """Average all figures over the pairs."""
    rows = [asdict(score_frame(render(pair), pair)) for pair in pairs]
    return Scores(**{name: float(np.mean([row[name] for row in rows])) for name in rows[0]})


def score_frame(frame: NDArray[np.uint8], pair: Pair) -> Scores:
    """Compare one rendered frame with the wanted one."""
    mouth, eyes = box(pair.target[48:68]), box(pair.target[36:48])
    return Scores(
        psnr=psnr(frame, pair.wanted),
        ssim=ssim(frame, pair.wanted),
        mouth_psnr=psnr(frame[mouth], pair.wanted[mouth]),
        eyes_psnr=psnr(frame[eyes], pair.wanted[eyes]),
        mouth_sharpness=sharpness(frame[mouth]) / sharpness(pair.wanted[mouth]),
    )


def box(points: NDArray[np.float32]) -> tuple[slice, slice]:
    """Return rows and columns of the points' bounding box, `BOX_MARGIN` px larger on each side."""
    left, top = (int(v) for v in np.floor(points.min(axis=0)) - BOX_MARGIN)
    right, bottom = (int(v) for v in np.ceil(points.max(axis=0)) + BOX_MARGIN)
    return slice(max(top, 0), bottom), slice(max(left, 0), right)


def psnr(frame: NDArray[np.uint8], wanted: NDArray[np.uint8]) -> float:
    """Return the peak signal-to-noise ratio in dB over all channels."""
    error = np.square(frame.astype(np.float64) - wanted).mean()
    return float(10 * np.log10(255**2 / max(error, 1e-3)))


def ssim(frame: NDArray[np.uint8], wanted: NDArray[np.uint8]) -> float:
    """Return the structural similarity of the luma (Wang et al., 2004; 11 px, sigma 1.5)."""
    x, y = (_blur_input(picture) for picture in (frame, wanted))
    mean_x, mean_y = _blur(x), _blur(y)
    var_x, var_y = _blur(x * x) - mean_x**2, _blur(y * y) - mean_y**2
    covariance = _blur(x * y) - mean_x * mean_y
    c1, c2 = SSIM_CONSTANTS
    likeness = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    return float((likeness / ((mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2))).mean())


def sharpness(picture: NDArray[np.uint8]) -> float:
    """Return the mean absolute Laplacian of the luma, in grey levels."""
    luma = picture.astype(np.float64) @ LUMA
    inner = luma[1:-1, 1:-1]
    laplacian = luma[:-2, 1:-1] + luma[2:, 1:-1] + luma[1:-1, :-2] + luma[1:-1, 2:] - 4 * inner
    return float(np.abs(laplacian).mean())


def sample_sheet(pairs: list[Pair], render: Renderer) -> Image.Image:
    """Draw a row a pair: portrait, wanted, prior, rendered; the last three's mouths, enlarged."""
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
    """Return the figures as a Markdown table."""
    lines = [
        "| | PSNR | SSIM | mouth PSNR | eyes PSNR | mouth sharpness / real |",
        "|---|---|---|---|---|---|",
    ]
    for name, row in scores.items():
        figures = f"{row.psnr:.2f} | {row.ssim:.3f} | {row.mouth_psnr:.2f} | {row.eyes_psnr:.2f}"
        lines.append(f"| {name} | {figures} | {row.mouth_sharpness:.2f} |")
    return "\n".join(lines)


def _blur_input(picture: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(picture.astype(np.float64) @ LUMA / 255)[None, None]


def _blur(x: Tensor) -> Tensor:
    ticks = torch.arange(11, dtype=x.dtype) - 5
    weights = torch.exp(-ticks.square() / (2 * 1.5**2))
    weights = weights / weights.sum()
    return F.conv2d(F.conv2d(x, weights.reshape(1, 1, 1, 11)), weights.reshape(1, 1, 11, 1))
