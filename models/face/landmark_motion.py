"""The output of stage one: the motion of a face, independent of its identity."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from media.emotions import EMOTIONS, Emotion


@dataclass(frozen=True)
class LandmarkMotion:
    """A face's motion at 25 frames a second.

    Attributes:
        displacement: `[T, 79, 2]` from the rest pose, in inter-ocular units of a typical face.
        lids: `[T]` how far a blink has closed the lids, 0 to 1.
        pose: `[T, 6]` small head motion: growth, roll (radians), shift right and down (inter-ocular
            units), turn and nod (shift per unit of depth, about radians).
        emotions: `[T, 8]` probabilities of the detected emotions, in the order of EMOTIONS.
        heard: `[8]` the same for the whole recording; silence does not count.
        closure: `[T]` how far speech keeps the lips together (/m/, /b/, /p/, pauses), 0 to 1,
            whatever the displacement does to them; None if unknown.
        gaze: `[T, 2]` how far the irises move to the right and down, in inter-ocular units; None:
            not at all.
    """

    displacement: NDArray[np.float32]
    lids: NDArray[np.float32]
    pose: NDArray[np.float32]
    emotions: NDArray[np.float32]
    heard: NDArray[np.float32]
    closure: NDArray[np.float32] | None = None
    gaze: NDArray[np.float32] | None = None


CLOSED, OPEN = 0.01, 0.03
"""Openings in inter-ocular units up to which speech closes the lips, and from which it does not.

Where filmed lips touch during speech, nine in ten generated openings are below 0.016.
"""
BLINKS_A_MINUTE = 15.0
FRAMES_A_MINUTE = 25 * 60
SHORTEST_PAUSE = 15
"""Minimum number of video frames between two blinks."""
REGULARITY = 2.0
"""Shape of the distribution of pauses. At 1, as if no blink knew of the one before, one in nine
clips of 7 s would stare without any; at 2, one in 22.
"""
BLINK = np.array([0.35, 0.9, 1.0, 0.8, 0.5, 0.25, 0.08], np.float32)
"""How far the lids are closed in each frame of a blink: they close faster than they open."""
SLOWEST = 1.8
"""Length of the longest blink against the shortest; lids rise slower, not fall."""
AT_PAUSES = 4.0
"""How much likelier a blink begins where a phrase ends than within it."""
PHRASE_END = (-4, 10)
"""Video frames around a phrase's last in which that holds."""
AMPLITUDE, CALM = np.array([1.0, 1.0, 0.5, 0.5, 1.0, 1.0]), 1.2
"""Amplitude of head motion `[6]` and its slowness, relative to the measured television presenters.

Filmed heads shift twice as far: the body sways with them, and a portrait's does not.
"""
EASE_IN = 25
"""Number of video frames in which the head leaves the portrait's own pose."""
POSTURES = {
    Emotion.SADNESS: (0.04, 0.07),
    Emotion.CONTEMPT: (0.035, -0.07),
}
"""How far a head leans, radians, and bows, as in `LandmarkMotion.pose`, at an emotion's full
strength. The deviation of its motion is 0.02 and 0.035.
"""
ROLL, NOD = 1, 5
SETTLING = 12.0
"""Deviation, video frames, over which a posture follows an emotion that comes and goes."""
GLANCE = (0.010, 0.005)
"""Deviation of the irises from the viewer's eyes, right and down, in inter-ocular units: 3 and 1.5
degrees, as eyes wander over a face across a table.
"""
SHORTEST_FIXATION, MEAN_FIXATION = 8, 38.0
"""Video frames for which a gaze rests."""
SACCADE = 0.65
"""Share of a jump of the eyes that its first frame makes."""
EYEBALL = 0.19
"""Radius of an eyeball in inter-ocular units."""


def draw_gaze(pose: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Return a gaze `[T, 2]` that stays with the viewer, however the head moves, `[T, 6]`.

    It starts where the portrait looks, and jumps within two frames, as eyes do.
    """
    gaze = np.zeros((len(pose), 2))
    at = _fixation(rng)
    while at < len(pose):
        gaze[at:] = GLANCE * rng.standard_normal(2).clip(-2, 2)
        at += _fixation(rng)
    gaze[1:] = (1 - SACCADE) * gaze[:-1] + SACCADE * gaze[1:]
    return (gaze - EYEBALL * pose[:, 4:]).astype(np.float32)


def _fixation(rng: np.random.Generator) -> int:
    return SHORTEST_FIXATION + int(rng.exponential(MEAN_FIXATION - SHORTEST_FIXATION))


def lip_closure(opening: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return how far lips with the opening `opening` `[T]` are closed by speech, 0 to 1."""
    part = np.clip((OPEN - opening) / (OPEN - CLOSED), 0.0, 1.0)
    shut: NDArray[np.float32] = (part * part * (3.0 - 2.0 * part)).astype(np.float32)
    return shut


def draw_blinks(
    frames: int, rng: np.random.Generator, voice: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """Return lids `[frames]` with blinks at random, their pauses from a gamma distribution.

    It starts at any moment of such a pause.

    Where the probability of speech, `voice` `[frames]`, is given, blinks gather where phrases end;
    their number stays the same.
    """
    lids = np.zeros(frames + int(SLOWEST * len(BLINK)) + 1, np.float32)
    likelier = np.ones(frames) if voice is None else _likelier(voice)
    mean_pause = FRAMES_A_MINUTE / BLINKS_A_MINUTE - SHORTEST_PAUSE - len(BLINK)
    passed = np.concatenate([[0.0], np.cumsum(likelier / likelier.mean())])
    began = rng.uniform() * rng.gamma(REGULARITY + 1, mean_pause / REGULARITY)
    at = int(np.searchsorted(passed[1:], began))
    while at < frames:
        blink = _slower(rng.uniform(1.0, SLOWEST))
        if at + len(blink) > frames:
            break  # a video that ends in a blink stops on closed eyes
        lids[at : at + len(blink)] = blink
        rested = min(at + len(BLINK) + SHORTEST_PAUSE, frames)
        wait = passed[rested] + rng.gamma(REGULARITY, mean_pause / REGULARITY)
        at = max(rested, int(np.searchsorted(passed[1:], wait)))
    return lids[:frames]


def _likelier(voice: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return how much likelier than within a phrase a blink begins in each frame."""
    spoken = voice > 0.5
    likelier = np.ones(len(voice))
    for end in np.flatnonzero(spoken[:-1] & ~spoken[1:]):
        likelier[max(0, end + PHRASE_END[0]) : end + PHRASE_END[1]] = AT_PAUSES
    return likelier


def _slower(length: float) -> NDArray[np.float32]:
    """Return a blink whose lids rise `length` times as slowly."""
    shut = int(BLINK.argmax())
    rising = BLINK[shut:]
    times = np.arange(0, len(rising) - 1 + 1e-6, 1 / length)
    slow = np.interp(times, np.arange(len(rising)), rising)
    return np.concatenate([BLINK[:shut], slow]).astype(np.float32)


def draw_head_motion(
    frames: int,
    mixing: NDArray[np.float32],
    tempo: NDArray[np.float32],
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """Return random head motion `[frames, C]` that starts at zero, at rest.

    Gaussian noise is smoothed over each channel's tempo, then mixed to the measured covariance.

    Args:
        frames: number of frames.
        mixing: `[C, C]` factor of the measured covariance.
        tempo: `[C]` number of frames over which each channel is smooth.
        rng: source of the noise.
    """
    tempo = CALM * tempo
    reach = int(np.ceil(4 * tempo.max()))
    noise = rng.standard_normal((frames + 2 * reach, len(tempo)))
    times = np.arange(-reach, reach + 1)
    smooth = np.empty((frames, len(tempo)))
    for channel, width in enumerate(tempo):
        bell = np.exp(-0.5 * (times / width) ** 2)
        bell /= np.linalg.norm(bell)
        smooth[:, channel] = np.convolve(noise[:, channel], bell, mode="valid")
    eased: NDArray[np.float64] = AMPLITUDE * (smooth @ mixing.T) * _leaving(frames)
    return eased.astype(np.float32)


def hold_head(emotion: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Return the posture `[T, 6]` of a head that shows emotion, which it takes from rest.

    Args:
        emotion: `[T, 8]` how strongly each emotion is shown, in the order of EMOTIONS.
        rng: of the side to which the head leans.
    """
    side = rng.choice((-1.0, 1.0))
    times = np.arange(-int(3 * SETTLING), int(3 * SETTLING) + 1)
    bell = np.exp(-0.5 * (times / SETTLING) ** 2)
    posture = np.zeros((len(emotion), 6))
    for shown, (lean, bow) in POSTURES.items():
        strength = np.pad(emotion[:, EMOTIONS.index(shown)], len(times) // 2, mode="edge")
        follows = np.convolve(strength, bell / bell.sum(), mode="valid")
        posture[:, ROLL] += side * lean * follows
        posture[:, NOD] += bow * follows
    return (posture * _leaving(len(emotion))).astype(np.float32)


def _leaving(frames: int) -> NDArray[np.float64]:
    """Return `[frames, 1]` how far the head has left the portrait's own pose, 0 to 1."""
    left = np.clip(np.arange(frames) / EASE_IN, 0.0, 1.0)[:, None]
    return np.asarray(left * left * (3.0 - 2.0 * left), np.float64)
