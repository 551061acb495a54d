"""Linear bases of stage one's motion, and statistics of head motion: measured, not trained."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from media.faces.landmarks import NUM_LANDMARKS
from models.corpus.alignment import align
from models.speech_to_landmarks.landmark_network import LandmarkNetwork
from models.training.stage_one.speech_landmarks import SpeechClip
from models.training.stage_one.trainee import Looks

Array = NDArray[np.float32]


def set_bases(network: LandmarkNetwork, clips: Sequence[SpeechClip], looks: Looks) -> None:
    """Set the linear bases of speech motion and of emotional displacement."""
    motions = torch.cat([clip.motion[::5] for clip in clips]).float().flatten(1)
    network.speech_basis.copy_(components(motions, len(network.speech_basis)))
    shown = torch.cat([looks.ways.flatten(0, 1), looks.prototypes]).flatten(1)
    network.emotion_basis.copy_(components(shown, len(network.emotion_basis)))


def components(samples: Tensor, count: int) -> Tensor:
    """Return `count` principal components `[count, 79, 2]` about zero, times their deviations.

    About zero instead of the mean, so that zero coefficients mean no motion.
    """
    power, axes = torch.linalg.eigh(samples.T @ samples / len(samples))
    scaled: Tensor = axes[:, -count:] * power[-count:].clamp(min=1e-12).sqrt()
    return scaled.T.flip(0).reshape(count, NUM_LANDMARKS, 2)


def set_head_motion(network: LandmarkNetwork, landmarks: Path) -> None:
    """Set the statistics of head motion from the clips of a landmarks file."""
    with np.load(landmarks) as file:
        poses = [align(file[name].astype(np.float32) / 64.0).pose for name in file]
    mixing, tempo = measure_head_motion(poses)
    network.pose_mixing.copy_(torch.from_numpy(mixing))
    network.pose_tempo.copy_(torch.from_numpy(tempo))


def measure_head_motion(poses: Sequence[Array]) -> tuple[Array, Array]:
    """Return a factor `[6, 6]` of the covariance of head motion and each channel's tempo `[6]`.

    Poses are `[T, 6]`, one per clip. Noise smoothed by a Gaussian of s frames has a velocity of 1 /
    (sqrt(2) s) of its deviation; the tempo is the s that gives the measured velocity.
    """
    centred = np.concatenate([pose - pose.mean(0) for pose in poses])
    velocity = np.concatenate([np.diff(pose, axis=0) for pose in poses])
    mixing = np.linalg.cholesky(np.cov(centred.T) + 1e-10 * np.eye(centred.shape[1]))
    tempo = centred.std(0) / (np.sqrt(2.0) * velocity.std(0))
    return mixing.astype(np.float32), tempo.astype(np.float32)
