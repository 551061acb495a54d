"""Linear bases of stage one's motion, and statistics of head motion: measured, not trained."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from models.corpus.alignment import align
from models.face.landmarks import NUM_LANDMARKS
from models.speech_to_landmarks.landmark_network import LandmarkNetwork
from models.training.stage_one.head_motion import measure_head_motion
from models.training.stage_one.speech_landmarks import SpeechClip
from models.training.stage_one.trainee import Looks


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
