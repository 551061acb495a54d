"""The one definition of every figure that training and evaluation report.

Landmarks are `[T, 79, 2]`; distances are in the landmarks' unit, which reports state.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from media.emotions import EMOTIONS, Emotion
from media.faces.landmarks import BROWS, MOUTH, interocular
from models.face.retargeting import LOWER_INNER, UPPER_INNER

Array = NDArray[np.float32]

FACE = slice(0, 68)
MAX_LAG = 5
"""Video frames either way in which the best lag is looked for."""
IN_STEP = 1
"""Frames that lips may be off and still be called in sync."""
BOX_MARGIN = 6
"""Pixels added around the mouth's and the eyes' landmarks."""
LUMA = (0.299, 0.587, 0.114)
SSIM_CONSTANTS = (0.01**2, 0.03**2)


@dataclass(frozen=True)
class LipFigures:
    """How generated lips follow the real ones of the same speech.

    Attributes:
        correlation: Pearson's r of the two openings as they are, -1 to 1.
        lag: frames by which the generated opening trails where r is highest.
        peak: r at that lag.
        amplitude: deviation of the opening, generated over real.
    """

    correlation: float
    lag: int
    peak: float
    amplitude: float

    @property
    def in_step(self) -> bool:
        """Whether r peaks within a frame of lag 0; what does not move is never in sync."""
        return self.peak > 0 and abs(self.lag) <= IN_STEP


def brow_spread(faces: Array) -> float:
    """Return the mean deviation over time of the height of brow points, heads held still."""
    return float(faces[:, BROWS, 1].std(axis=0).mean())


def mouth_spread(faces: Array) -> float:
    """Return the mean deviation over time of the mouth's points about their mean places."""
    away = faces[:, MOUTH] - faces[:, MOUTH].mean(axis=0)
    return float(np.sqrt(np.square(away).sum(axis=-1).mean(axis=0)).mean())


def compare_lips(generated: Array, real: Array) -> LipFigures:
    """Compare two openings `[T]`."""
    peak, lag = correlate(generated, real)
    spread = max(float(real.std()), float(np.finfo(np.float32).eps))
    return LipFigures(correlation(generated, real), lag, peak, float(generated.std()) / spread)


def lip_gap(landmarks: Array) -> Array:
    """Return the mean distance `[T]` between the inner lips, in the landmarks' unit."""
    gaps = np.linalg.norm(landmarks[:, UPPER_INNER] - landmarks[:, LOWER_INNER], axis=-1)
    return np.asarray(gaps.mean(axis=1), np.float32)


def lip_opening(landmarks: Array) -> Array:
    """Return the gap `[T]` between the inner lips in inter-ocular distances.

    The face's size is its median over the clip, so that a blink or a nod does not open the mouth.
    """
    opening: Array = lip_gap(landmarks) / np.median(interocular(landmarks))
    return opening


def correlation(one: Array, other: Array) -> float:
    """Return Pearson's r of two tracks `[T]`. What does not move correlates with nothing: 0."""
    if len(one) < 2:
        return 0.0
    one, other = one - one.mean(), other - other.mean()
    scale = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(np.clip(one @ other / scale, -1, 1)) if scale > 1e-6 else 0.0


def correlate(follower: Array, leader: Array, max_lag: int = MAX_LAG) -> tuple[float, int]:
    """Return the highest correlation of two tracks `[T]` and its lag in frames.

    A positive lag says that the follower trails. Short tracks are shifted by a quarter at most.
    """
    length = min(len(follower), len(leader))
    reach = min(max_lag, length // 4)
    correlations = {
        lag: correlation(
            follower[max(0, lag) : length + min(0, lag)],
            leader[max(0, -lag) : length - max(0, lag)],
        )
        for lag in sorted(range(-reach, reach + 1), key=abs)
    }
    lag = max(correlations, key=lambda lag: correlations[lag])
    return correlations[lag], lag


def landmark_distance(generated: Array, real: Array, points: slice = MOUTH) -> float:
    """Return LMD, the points' mean distance, each set about its own mean in every frame.

    M-LMD over the mouth, F-LMD over `FACE`.
    """
    return _mean_norm(_centred(generated, points) - _centred(real, points))


def velocity_distance(generated: Array, real: Array, points: slice = FACE) -> float:
    """Return LVD: the mean distance of the points' steps from frame to frame."""
    apart = _centred(generated, points) - _centred(real, points)
    return _mean_norm(np.diff(apart, axis=0))


def jerk(landmarks: Array, points: Sequence[int] | slice) -> float:
    """Return the mean length of the points' third difference along time, a frame cubed."""
    return _mean_norm(np.diff(landmarks[:, points], n=3, axis=0))


def box(points: Array) -> tuple[slice, slice]:
    """Return rows and columns of the points' bounding box, `BOX_MARGIN` px larger on each side."""
    left, top = (int(v) for v in np.floor(points.min(axis=0)) - BOX_MARGIN)
    right, bottom = (int(v) for v in np.ceil(points.max(axis=0)) + BOX_MARGIN)
    return slice(max(top, 0), bottom), slice(max(left, 0), right)


def psnr(frame: NDArray[np.uint8], wanted: NDArray[np.uint8]) -> float:
    """Return the peak signal-to-noise ratio in dB over all channels; 78 for equal pictures."""
    error = np.square(frame.astype(np.float64) - wanted).mean()
    return float(10 * np.log10(255**2 / max(error, 1e-3)))


def ssim(frame: NDArray[np.uint8], wanted: NDArray[np.uint8]) -> float:
    """Return the structural similarity of the luma (Wang et al., 2004; 11 px, sigma 1.5)."""
    x, y = (_grey(picture) for picture in (frame, wanted))
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


def identity_similarity(portrait: Array, frames: Array) -> float:
    """Return CSIM, the mean cosine of a portrait's embedding `[D]` to those of frames `[T, D]`."""
    lengths = np.linalg.norm(portrait) * np.linalg.norm(frames, axis=1)
    return float((frames @ portrait / lengths).mean())


def frechet_distance(one: Array, other: Array) -> float:
    """Return FID between features `[N, D]` and `[M, D]` (Heusel et al., 2017)."""
    one, other = one.astype(np.float64), other.astype(np.float64)
    a, b = np.atleast_2d(np.cov(one.T)), np.atleast_2d(np.cov(other.T))
    # The trace of a matrix's root is the sum of its eigenvalues' roots; noise may push one below 0.
    shared = np.sqrt(np.linalg.eigvals(a @ b).real.clip(min=0)).sum()
    apart = np.square(one.mean(0) - other.mean(0)).sum()
    return float(apart + np.trace(a) + np.trace(b) - 2 * shared)


def sync_confidence(faces: Array, sound: Array, reach: int = 15) -> tuple[float, float]:
    """Return LSE-C and LSE-D of SyncNet's embeddings `[T, D]` (Chung and Zisserman, 2016).

    The mean distance is smallest at the best of the lags within `reach`: that is LSE-D; how far it
    lies below the median over lags is LSE-C.
    """
    length = min(len(faces), len(sound))
    reach = min(reach, length - 1)
    distances = [
        _mean_norm(
            faces[max(0, lag) : length + min(0, lag)] - sound[max(0, -lag) : length - max(0, lag)]
        )
        for lag in range(-reach, reach + 1)
    ]
    return float(np.median(distances) - min(distances)), min(distances)


def confusion(acted: Sequence[Emotion], heard: Sequence[Array]) -> NDArray[np.int64]:
    """Count `[8, 8]` which emotion (row) was taken for which (column), in the order of EMOTIONS.

    A recording counts as the emotion likeliest by the mean over its probabilities `[T, 8]`.
    """
    counts = np.zeros((len(EMOTIONS), len(EMOTIONS)), np.int64)
    for emotion, probabilities in zip(acted, heard, strict=True):
        counts[EMOTIONS.index(emotion), int(probabilities.mean(axis=0).argmax())] += 1
    return counts


def accuracy(counts: NDArray[np.int64]) -> float:
    """Return the share of a confusion table that lies on its diagonal."""
    return float(np.trace(counts) / counts.sum())


def mean_recall(counts: NDArray[np.int64]) -> float:
    """Return the accuracy with every emotion that occurs weighing the same."""
    occurring = counts.sum(axis=1) > 0
    return float((np.diag(counts)[occurring] / counts.sum(axis=1)[occurring]).mean())


def _centred(landmarks: Array, points: slice) -> Array:
    chosen = landmarks[:, points]
    centred: Array = chosen - chosen.mean(axis=1, keepdims=True)
    return centred


def _mean_norm(vectors: Array) -> float:
    return float(np.linalg.norm(vectors, axis=-1).mean())


def _grey(picture: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(picture.astype(np.float64) @ LUMA / 255)[None, None]


def _blur(x: Tensor) -> Tensor:
    ticks = torch.arange(11, dtype=x.dtype) - 5
    weights = torch.exp(-ticks.square() / (2 * 1.5**2))
    weights = weights / weights.sum()
    return F.conv2d(F.conv2d(x, weights.reshape(1, 1, 1, 11)), weights.reshape(1, 1, 11, 1))
