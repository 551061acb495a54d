"""Statistics of head motion during speech, from which the natural pose is drawn."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


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
