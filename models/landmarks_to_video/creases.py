"""The creases that a moving face presses into its skin: between the brows, on the forehead, beside
the nose, around the cheeks.

A warp moves the portrait's pixels and makes no shading. Here the warped portrait is multiplied by
the exponential of learnt maps, an expression ratio image (Liu, Shan and Zhang, "Expressive
expression mapping with ratio images", SIGGRAPH 2001), as far as the face moves from the portrait's
own expression: what that shows is in its pixels. `models/training/stage_two/fit_creases.py` cuts
the maps out of film and photographs.
"""

from dataclasses import dataclass, replace
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional as F

from media.faces.landmarks import CROP_SIZE
from models.checkpoints import load_checkpoint
from models.landmarks_to_video.eyes.glasses import Glasses
from models.landmarks_to_video.face_regions import (
    EYES,
    STRIDE,
    Region,
    cut,
    feather,
    signed_distance,
    window_flow,
    window_origin,
)
from models.landmarks_to_video.frame_drawing import Layer
from models.landmarks_to_video.layers import grown
from models.landmarks_to_video.mouth.bare_lips import blurred
from models.landmarks_to_video.ramps import rise
from models.landmarks_to_video.upright import face_frame, to_upright
from models.landmarks_to_video.warping import (
    FLOW_STRIDE,
    flow_coordinates,
    pixel_grid,
    sample,
    thin_plate_flow,
    upsample_flow,
)
from models.manifest import WEIGHTS

FILE = "creases.safetensors"
FACE = replace(EYES, name="face", width=136, height=144, outline=(*range(17, 60), *range(70, 79)))
"""The window that creases lie in, from the forehead to the mouth's corners."""
MOVEMENTS = ("frown", "inner brows", "outer brows", "sneer", "smile")
FROM = (0.035, 0.03, 0.03, 0.03, 0.04)
FULL = (0.11, 0.11, 0.11, 0.085, 0.3)
"""Sizes of the movements, in inter-ocular distances, at which creases begin and are as the maps
have them.
"""
MOST = 1.4
"""How much deeper than in the maps creases get."""
DEEPEST, LIGHTEST = -0.6, 0.25
"""Logarithms of the darkest crease and the lightest rim."""
FEATHER, ROOM, FAINTEST = 6, 8, 0.01
"""Px over which creases fade in from the edge of what is drawn; px by which they may move within
it; and what is too faint to be drawn, as a logarithm.
"""
JAW, EYEBROWS, EYE_CORNERS = range(17), range(26, 16, -1), [36, 39, 42, 45]
DARK = (-0.75, -0.45)
"""Logarithms of brightness over the skin's at which something is not skin, and is it."""
ROUGH, GRAIN = (0.02, 0.05), 2.0
"""Mean contrast of fine detail, as a logarithm, from which something may be hair, and is it; and
by how much these grow with that of the skin.
"""
TINT = (0.77, 1.08, 1.15)
"""How much darker a crease is in red, green and blue: skin lets red through."""
HUE = (0.17, 0.3)
"""Differences from the skin's hue, as logarithms of ratios of the channels, alike."""
INSIDE, EVEN, BESIDE, BLACK = 6.0, 1.5, 3, 0.05
"""Px from the face's edge; deviation of the blur, px, that is subtracted to leave detail; px left
out around what is not skin; and what is added to light before its logarithm is taken.
"""
SEEN = (0.55, 0.85)
"""Shares of a movement's creases that lie on bare skin, from which it shows any, and all of them:
beside a fringe, lines end nowhere.
"""
NEAR_GLASSES = (1.0, 5.0)
"""Px from the frame of glasses."""
SMOOTH, LINED = (0.007, 0.55), (0.02, 1.3)
"""Contrast of the skin's fine detail, and how deep its creases are: of a child or a drawing, and of
an adult.
"""


Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Creases:
    """A portrait's creases.

    maps: `[1, K, h, w]` log brightness of each movement's creases, at the portrait's own place and
        resolution.
    origin: `[1, 2]` left and top of the maps, px of a 256 px crop.
    boxes: each movement's left, top, right and bottom within them, px of a 256 px crop; None where
        it has none.
    glow: `[1, 3, 1, 1]` the colour, -1 to 1, that creases keep of what they take away.
    """

    maps: Tensor
    origin: Tensor
    boxes: tuple[Box | None, ...]
    glow: Tensor

    def drawn(self, source: Tensor, target: Tensor, flow: Tensor, scale: int) -> Layer | None:
        """Return the layer that draws the creases of `target`, or None if no frame has any.

        Its opacity is negative where creases have a light rim.

        Args:
            source: the portrait's landmarks, `[B, 79, 2]` px of a 256 px crop.
            target: the wanted landmarks, alike.
            flow: `[B, 2, 64, 64]` px, of the warp.
            scale: pixels of the layer for each of a 256 px crop.
        """
        strength = movements(source, target)
        shown = strength.any(dim=0).tolist()
        boxes = [box for box, any_ in zip(self.boxes, shown, strict=True) if any_ and box]
        if not boxes:
            return None
        lefts, tops, rights, bottoms = zip(*boxes, strict=True)
        left, top = min(lefts), min(tops)
        part = replace(FACE, width=max(rights) - left, height=max(bottoms) - top)
        origin = window_origin(target, FACE)
        origin = origin + origin.new_tensor([left, top])
        shade = self._shade(strength, flow, origin, part, scale)
        shade *= feather(part, FEATHER, scale).to(shade)
        opacity = shade.clamp_(DEEPEST, LIGHTEST).expm1_().neg_()
        still = opacity.new_zeros(len(target), 2, *opacity.shape[-2:])
        return Layer(origin, still, opacity * self.glow, opacity)

    def _shade(
        self, strength: Tensor, flow: Tensor, origin: Tensor, part: Region, scale: int
    ) -> Tensor:
        """Return the log brightness `[B, 1, h, w]` of a part of the face."""
        batch, (_, count, height, width) = len(flow), self.maps.shape
        mixed = (strength @ self.maps.reshape(count, -1)).reshape(batch, 1, height, width).float()
        # As `sample` reads; but what a place is multiplied by is so before it is enlarged.
        unit = 2 * scale / flow.new_tensor([width - 1, height - 1])[:, None, None]
        moved = window_flow(flow, origin, part).float() + (origin - self.origin)[..., None, None]
        fine = upsample_flow(moved * unit, FLOW_STRIDE * scale).permute(0, 2, 3, 1)
        steps = pixel_grid(part.height * scale, part.width * scale).to(fine)
        places = fine + (steps * unit[:, 0, 0] / scale - 1)
        return F.grid_sample(mixed, places, padding_mode="border", align_corners=True)


def creases(
    image: Tensor,
    landmarks: Tensor,
    scale: int = 1,
    glasses: Glasses | None = None,
    *,
    grey: bool = False,
) -> Creases:
    """Fit the maps to a portrait `[1, 3, S, S]`, 0-1, of landmarks `[1, 79, 2]`.

    S is 256 times `scale`, landmarks are in px of a 256 px crop. In a `grey` portrait, creases have
    no colour of their own.
    """
    origin = window_origin(landmarks, FACE)
    bare, colour = _bare_skin(F.avg_pool2d(image, scale), landmarks)
    if glasses:
        bare = bare * rise(glasses.distance, *NEAR_GLASSES)
    depth = upsample_flow(blurred(cut(bare, origin, FACE.height, FACE.width), EVEN), scale)
    depth = depth * feather(FACE, FEATHER, scale).to(depth)
    glow = (1 - colour.new_tensor(TINT)[:, None, None]) * colour
    maps = _placed(landmarks, origin, scale)
    weight = maps.abs()
    share = (weight * depth).sum(dim=(2, 3), keepdim=True) / depth.max().clamp_min(1e-3)
    seen = rise(share / weight.sum(dim=(2, 3), keepdim=True).clamp_min(1e-3), *SEEN)
    maps = maps * depth * seen
    boxes = tuple(_box(map_ > FAINTEST, scale) for map_ in maps[0].abs())
    return Creases(maps, origin, boxes, torch.zeros_like(glow) if grey else glow)


def _box(places: Tensor, scale: int) -> Box | None:
    """Return a box around places marked in `[h, w]` with room for motion, or None around none."""
    ends = []
    for axis, length in ((0, FACE.width), (1, FACE.height)):
        marked = places.any(dim=axis).nonzero()[:, 0].tolist()
        if not marked:
            return None
        start, end = marked[0] // scale - ROOM, marked[-1] // scale + 1 + ROOM
        ends.append((max(0, start // STRIDE * STRIDE), min(length, -(-end // STRIDE) * STRIDE)))
    (left, right), (top, bottom) = ends
    return left, top, right, bottom


def upright(landmarks: Tensor) -> Tensor:
    """Return faces `[B, 79, 2]` about the middle of their eyes' corners, in inter-ocular distances.

    The lids do not count: with them, a blink would raise the brows.
    """
    distance, across = face_frame(landmarks)
    about = landmarks - landmarks[:, EYE_CORNERS].mean(dim=1, keepdim=True)
    return to_upright(about / distance[:, None, None], across)


def _placed(landmarks: Tensor, origin: Tensor, scale: int) -> Tensor:
    """Return the learnt maps `[1, K, h, w]` where a portrait's face has them."""
    learnt, common = (tensor.to(landmarks) for tensor in _learnt())
    nodes = FACE.height // FLOW_STRIDE, FACE.width // FLOW_STRIDE
    places = pixel_grid(*nodes, FLOW_STRIDE).to(landmarks).reshape(1, -1, 2) + origin[:, None]
    flow = thin_plate_flow(landmarks, common, places).transpose(1, 2).reshape(1, 2, *nodes)
    fine = flow_coordinates(upsample_flow(flow, FLOW_STRIDE * scale), 1 / scale)
    return sample(
        learnt, fine + origin - window_origin(common, FACE), learnt.shape[-1] // FACE.width
    )


def movements(source: Tensor, target: Tensor) -> Tensor:
    """Return `[B, K]`, 0 to `MOST`: how far a face moves from `source` `[B, 79, 2]`, as K
    `MOVEMENTS`.
    """
    change = posture(target) - posture(source)
    start, full = change.new_tensor(FROM), change.new_tensor(FULL)
    return ((change - start) / (full - start)).clamp(0, MOST)


def posture(landmarks: Tensor) -> Tensor:
    """Return `[B, K]`, inter-ocular distances: what grows with each of the movements."""
    x, y = upright(landmarks).unbind(dim=-1)
    inner, outer = -y[:, [20, 21, 22, 23]].mean(dim=1), -y[:, [18, 19, 24, 25]].mean(dim=1)
    frown = x[:, 21] - x[:, 22] - inner / 2
    wings = 0.55 * y[:, 30] - y[:, [31, 35]].mean(dim=1)
    corners = y[:, [48, 54]].mean(dim=1) - y[:, 33]
    smile = x[:, 54] - x[:, 48] - 1.5 * corners
    return torch.stack([frown, inner, outer, wings, smile], dim=1)


def _bare_skin(picture: Tensor, landmarks: Tensor) -> tuple[Tensor, Tensor]:
    """Return `[1, 1, 256, 256]` in 0-1, how deep creases may be in a picture `[1, 3, 256, 256]`,
    and the skin's colour `[1, 3, 1, 1]`.
    """
    light = (picture.mean(dim=1, keepdim=True) + BLACK).log()
    nodes = CROP_SIZE // FLOW_STRIDE
    cells = pixel_grid(nodes, nodes, FLOW_STRIDE).to(landmarks).reshape(1, -1, 2)
    within = signed_distance(cells, landmarks[:, [*JAW, *EYEBROWS]]).reshape(nodes, nodes) > INSIDE
    face = within.repeat_interleave(FLOW_STRIDE, 0).repeat_interleave(FLOW_STRIDE, 1)
    if not face.any():  # landmarks that are no face's
        return torch.zeros_like(light), torch.zeros_like(picture[..., :1, :1])
    colour = picture[:, :, face].median(dim=-1).values[..., None, None]
    relative = (picture + BLACK).log() - (colour + BLACK).log()
    tone = relative.mean(dim=1, keepdim=True)
    hue = blurred((relative - tone).abs().amax(dim=1, keepdim=True), EVEN)
    fine = (light - blurred(light, EVEN)).abs()
    grain = fine[0, 0, face].median()
    rough = blurred(fine, 2 * EVEN) - GRAIN * grain
    skin = rise(blurred(tone, 1.0), *DARK) * (1 - rise(rough, *ROUGH)) * (1 - rise(hue, *HUE))
    (smooth, faint), (lined, full) = SMOOTH, LINED
    depth = faint + (full - faint) * rise(grain, smooth, lined)
    return depth * (1 - grown(1 - skin, BESIDE)), colour


@cache
@torch.inference_mode(mode=False)  # a cached tensor must be usable in training, too
def _learnt() -> tuple[Tensor, Tensor]:
    """Return the maps `[1, K, h, w]` and the landmarks `[1, 79, 2]` of the face they lie on."""
    state, _ = load_checkpoint(WEIGHTS / FILE)
    return state["maps"][None], state["landmarks"][None]
