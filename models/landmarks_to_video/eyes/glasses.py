"""Glasses move as a whole: near their frame, skin and brows move less against it the nearer they
are, so that the picture is stretched there, but neither bent nor folded.
"""

from dataclasses import dataclass
from typing import Self

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from media.faces.landmarks import CROP_SIZE
from models.landmarks_to_video.eyes.glasses_frame import SURE, find_frame
from models.landmarks_to_video.face_regions import Region
from models.landmarks_to_video.warping import FLOW_STRIDE, pixel_grid, planes, sample

HALF_WIDTH = 3.5
"""Px on either side of a frame's lines that move with it: it is up to twice as wide, or warped at
nodes 4 px apart.
"""
SMOOTH = 2.0
"""Standard deviation, px, over which distances from the lines are averaged, which have corners."""
GIVE = 0.5
"""How far skin may move against the frame for each pixel between them. From 1 on, what borders on
the frame would be shown twice.
"""
RIGID = [27, 28, 36, 39, 42, 45]
"""Landmarks with which glasses move: the upper bridge of the nose and the eyes' corners."""


@dataclass(frozen=True, eq=False)
class Glasses:
    """The glasses of a portrait.

    distance: `[1, 1, 256, 256]` from each pixel of the crop to their frame, px; 0 on it.
    """

    distance: Tensor

    @classmethod
    def of(
        cls, crop: NDArray[np.uint8], landmarks: NDArray[np.float32], device: torch.device
    ) -> Self | None:
        """Return those in a crop `[S, S, 3]` with landmarks `[79, 2]`, px of 256, or None."""
        frame = find_frame(crop, landmarks)
        if frame.strength < SURE:
            return None
        beside = np.ones((CROP_SIZE, CROP_SIZE), np.uint8)
        lines = [line.round().astype(np.int32) for line in frame.lines]
        cv2.polylines(beside, lines, isClosed=False, color=0)
        distance = cv2.distanceTransform(beside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        smooth = np.asarray(cv2.GaussianBlur(distance, (0, 0), SMOOTH), np.float32)
        return cls(torch.from_numpy((smooth - HALF_WIDTH).clip(0)).to(device)[None, None])

    def hold(
        self, prior: Tensor, residual: Tensor, source: Tensor, target: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the two parts of a flow, `[B, 2, 64, 64]` px, so that the frame moves as a whole.

        Far from the frame, their sum stays as it is. The portrait's and the wanted landmarks are
        `[B, 79, 2]` px.
        """
        nodes = pixel_grid(*prior.shape[-2:], FLOW_STRIDE)[None].to(source)
        rigid = _rigid_flow(source[:, RIGID], target[:, RIGID], nodes)
        room = self._room(nodes + rigid)
        rigid = rigid.permute(0, 3, 1, 2)
        held = rigid + limited(prior - rigid, room)
        return held, rigid + limited(prior + residual - rigid, room) - held

    def room(self, region: Region, origin: Tensor, source: Tensor, target: Tensor) -> Tensor:
        """Return how far skin may move against the frame, `[B, 1, height / 4, width / 4]` px.

        That is for each node of a region's window at `origin` `[B, 2]`, px.
        """
        nodes = region.height // FLOW_STRIDE, region.width // FLOW_STRIDE
        places = pixel_grid(*nodes, FLOW_STRIDE).to(source) + origin[:, None, None]
        return self._room(places + _rigid_flow(source[:, RIGID], target[:, RIGID], places))

    def _room(self, places: Tensor) -> Tensor:
        """Return that, `[B, 1, h, w]` px, for what the portrait shows at `[B, h, w, 2]` px."""
        return GIVE * sample(self.distance.expand(len(places), -1, -1, -1), places)


def limited(motion: Tensor, room: Tensor) -> Tensor:
    """Return vectors `[B, 2, h, w]` no longer than their room `[B, 1, h, w]`.

    Those that have twice the room that they need stay as they are.
    """
    x, y = motion[:, :1], motion[:, 1:]  # torch.linalg.norm takes several times as long
    share = (room / (x.square() + y.square()).sqrt().clamp_min(1e-3)).clamp_max(2)
    held: Tensor = motion * share * (1 - share / 4)
    return held


def _rigid_flow(source: Tensor, target: Tensor, places: Tensor) -> Tensor:
    """Return the backward flow at `places` `[B, h, w, 2]` of one turn, scale and shift, px.

    It takes points `target` `[B, K, 2]` as near as possible to `source`, in the least squares'
    sense (Umeyama, TPAMI 1991).
    """
    centres = [points.mean(dim=1, keepdim=True) for points in (source, target)]
    own, wanted = source - centres[0], target - centres[1]
    size = wanted.square().sum(dim=(1, 2)).clamp_min(1.0)
    along = (own * wanted).sum(dim=(1, 2)) / size
    turned = (wanted[..., 0] * own[..., 1] - wanted[..., 1] * own[..., 0]).sum(dim=1) / size
    along, turned = along[:, None, None], turned[:, None, None]
    x, y = (places - centres[1][:, None]).unbind(dim=-1)
    there = planes(along * x - turned * y, turned * x + along * y) + centres[0][:, None]
    return there - places
