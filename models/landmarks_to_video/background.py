"""The background of a portrait, which stays where it is while the head moves.

A spline that moves the head bends what lies around it, too: door frames and shelves sway with every
nod. Beyond the person's silhouette the motion therefore dies away within a few pixels.
"""

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from media.faces.landmarks import CROP_SIZE
from models.landmarks_to_video.warping import FLOW_STRIDE

MARGIN = 5.0
"""Px beyond the silhouette that move with it: hair ends more softly than a silhouette."""
FADE = 14.0
"""Px beyond these over which the motion fades out. Over fewer than one and a half times the
largest motion of a head, the picture would fold.
"""
FACE_COVERED = 0.95
"""Share of a face that its silhouette covers at least; one of a statue or a drawing may not."""


def mobility(silhouette: NDArray[np.float32], landmarks: NDArray[np.float32]) -> Tensor:
    """Return `[1, 1, 64, 64]` weights of the motion: 1 on a person, 0 on the background.

    They are 1 everywhere if the silhouette misses the face: then it says nothing about the hair.

    Args:
        silhouette: `[256, 256]` probability that a pixel of the crop shows a person, 0 to 1.
        landmarks: `[79, 2]` px of the crop.
    """
    face = np.zeros((CROP_SIZE, CROP_SIZE), np.uint8)
    cv2.fillConvexPoly(face, cv2.convexHull(landmarks.round().astype(np.int32)), 1)
    person = silhouette > 0.5
    nodes = CROP_SIZE // FLOW_STRIDE
    if person[face > 0].mean() < FACE_COVERED:
        return torch.ones(1, 1, nodes, nodes)
    beyond = cv2.distanceTransform((~person & (face == 0)).astype(np.uint8), cv2.DIST_L2, 5)
    passed = np.clip((beyond - MARGIN) / FADE, 0.0, 1.0)
    weights = 1.0 - passed * passed * (3.0 - 2.0 * passed)
    small = cv2.resize(weights.astype(np.float32), (nodes, nodes), interpolation=cv2.INTER_AREA)
    return torch.from_numpy(np.asarray(small, np.float32))[None, None]
