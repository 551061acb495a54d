"""Estimates the lag of a clip's sound: the shift at which a lip reader trained on others fits best.

The lip reader is a ridge regression from whitened encoder states around a frame to the lips'
opening. It starts with clips known to be in sync and is refitted as the estimates converge; each
person is evaluated by a reader that has not seen them. It is not part of the product and shares
nothing with the generator but the frozen encoder.
"""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.corpus.source_clips import SourceClip
from models.face.retargeting import lip_gaps
from models.speech_to_landmarks.speech_encoder import SpeechEncoder

Array = NDArray[np.float32]

LAGS = range(-5, 11)
"""Possible lags of the sound, in encoder states of 20 ms."""
USUAL_LAG, SPREAD = 2.0, 3.0
"""Prior mean and standard deviation of the lags, in states."""
LAGS_FILE = "lags.json"
REACH = 8
"""Number of states before and after a frame that the reader sees."""
COMPONENTS = 96
RIDGE = 300.0
FOLDS = 4
ROUNDS = 4
FRAMES_A_SAMPLE = 4.0
"""Number of video frames that count as one independent observation."""


@dataclass(frozen=True)
class LagClip:
    """The input of the estimate for a clip: states `[2T, C]`, opening `[T]`, speaker."""

    states: Array
    opening: Array
    person: str
    in_step: bool
    judged_only: bool = False


def estimate_lags(clips: Mapping[str, LagClip]) -> dict[str, int]:
    """Return each clip's lag in encoder states of 20 ms; 0 for clips known to be in sync.

    Clips in `judged_only` (the validation set) are evaluated by readers fitted on the others and
    never used for fitting.
    """
    whitened = _whiten(clips)
    lags = dict.fromkeys(clips, 0)
    loose = [name for name, clip in clips.items() if not clip.in_step]
    fitted = [name for name in clips if not clips[name].judged_only]
    # If no clip is known to be in sync, all are assumed to be at first.
    steady = [name for name in fitted if clips[name].in_step] or fitted
    for round_number in range(ROUNDS):
        learn_from = steady if round_number == 0 else fitted
        readers = _fit_readers(clips, whitened, lags, learn_from)
        for name in loose:
            lags[name] = _likeliest_lag(clips[name], whitened[name], readers[_fold(clips[name])])
    return lags


def _whiten(clips: Mapping[str, LagClip]) -> dict[str, Array]:
    sample = np.concatenate([clip.states for clip in list(clips.values())[::4]]).astype(np.float32)
    mean = sample.mean(0)
    power, axes = np.linalg.eigh(np.cov((sample - mean).T))
    basis = (axes[:, -COMPONENTS:] / np.sqrt(power[-COMPONENTS:])).astype(np.float32)
    return {name: (clip.states.astype(np.float32) - mean) @ basis for name, clip in clips.items()}


def _fit_readers(
    clips: Mapping[str, LagClip],
    states: Mapping[str, Array],
    lags: Mapping[str, int],
    names: Sequence[str],
) -> dict[int, Array]:
    """Return one ridge regression per fold, fitted on everyone outside it."""
    size = (2 * REACH + 1) * states[names[0]].shape[1]
    gram = np.zeros((FOLDS + 1, size, size), np.float32)
    target = np.zeros((FOLDS + 1, size), np.float32)
    for name in names:
        seen = _context(states[name], lags[name])
        fold = FOLDS if clips[name].in_step else _fold(clips[name])
        gram[fold] += seen.T @ seen
        target[fold] += seen.T @ _standard(clips[name].opening)
    eye = RIDGE * np.eye(size, dtype=np.float32)
    whole, wanted = gram.sum(0), target.sum(0)
    return {
        fold: np.linalg.solve(whole - gram[fold] + eye, wanted - target[fold])
        for fold in range(FOLDS)
    }


def _likeliest_lag(clip: LagClip, states: Array, reader: Array) -> int:
    """Return the lag with the highest posterior: Gaussian errors, Gaussian prior."""
    samples = len(clip.opening) / FRAMES_A_SAMPLE
    belief = []
    for lag in LAGS:
        r = np.corrcoef(_context(states, lag) @ reader, clip.opening)[0, 1]
        fit = -0.5 * samples * np.log(1.0 - min(max(r, 0.0), 0.99) ** 2)
        belief.append(fit - 0.5 * ((lag - USUAL_LAG) / SPREAD) ** 2)
    return LAGS[int(np.argmax(belief))]


def _context(states: Array, lag: int) -> Array:
    """Return `[T, (2 * REACH + 1) * C]`: the states around each frame, for sound that lags by
    `lag`.
    """
    frames = len(states) // 2
    at = 2 * np.arange(frames)[:, None] + np.arange(-REACH, REACH + 1)[None] + lag
    inside = (at >= 0) & (at < len(states))
    seen = states[np.clip(at, 0, len(states) - 1)] * inside[..., None]
    out: Array = seen.reshape(frames, -1).astype(np.float32)
    return out


def _standard(opening: Array) -> Array:
    """Return the opening relative to its mean, in twentieths of the inter-ocular distance."""
    out: Array = (opening - opening.mean()) / 0.05
    return out


def _fold(clip: LagClip) -> int:
    return zlib.crc32(clip.person.encode()) % FOLDS


def measure_lags(clips: Sequence[SourceClip], encoder: SpeechEncoder) -> dict[str, int]:
    """Return the lag of each clip's sound in encoder states."""
    if all(clip.in_step for clip in clips):
        return {clip.name: 0 for clip in clips}
    return estimate_lags(
        {
            clip.name: LagClip(
                states=encoder.encode(clip.waveform).numpy().astype(np.float16),
                opening=lip_gaps(clip.aligned.motion).mean(axis=1),
                person=clip.person,
                in_step=clip.in_step,
                judged_only=clip.split != "train",
            )
            for clip in clips
        }
    )
