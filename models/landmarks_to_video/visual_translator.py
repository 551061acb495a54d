"""Stage two: one portrait and a sequence of landmarks become video frames.

    portrait, landmarks ──► thin-plate warp + residual flow ──────────────► frame
                                     │ window of mouth, window of eyes        ▲
                                     ▼                                        │ feathered in
                   painter: feature-adaptive transformation ──► mask, colour ──┘

The warp carries identity, hair and background. Only what it cannot reveal, teeth and eyes, is
painted.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from media.faces.landmarks import CROP_SIZE
from models.checkpoints import load_checkpoint
from models.landmarks_to_video.background import mobility
from models.landmarks_to_video.creases import creases
from models.landmarks_to_video.eyes.glasses import GIVE, Glasses, limited
from models.landmarks_to_video.eyes.lids import drawn_share, held_up, lift, moved_share
from models.landmarks_to_video.face_regions import (
    EYES,
    MOUTH,
    Region,
    feather,
    window_flow,
    window_origin,
)
from models.landmarks_to_video.frame_drawing import Layer, Rendering, draw_on_cpu, draw_on_device
from models.landmarks_to_video.monochrome import read_palette
from models.landmarks_to_video.motion_network import MOTION_STRIDE, MotionNet
from models.landmarks_to_video.mouth.bare_lips import bare_lips
from models.landmarks_to_video.mouth.complexion import complexion, sidelight
from models.landmarks_to_video.mouth.dentition import BELOW_PARTED, Dentitions
from models.landmarks_to_video.mouth.lip_closing import cover_mouth, lips_close
from models.landmarks_to_video.mouth.lip_edge import LowerLipEdge, within
from models.landmarks_to_video.mouth.open_mouth import OpenMouth, read_open_mouth
from models.landmarks_to_video.mouth.teeth_placement import bent_to
from models.landmarks_to_video.painter_network import Painter, PainterConfig
from models.landmarks_to_video.portrait_features import PortraitFeatures
from models.landmarks_to_video.smile_folds import smile_folds
from models.landmarks_to_video.warping import (
    FLOW_STRIDE,
    spline_flow,
    upsample_flow,
)
from models.manifest import WEIGHTS
from models.precision import mixed_precision

CHECKPOINT = "visual_translator.safetensors"
RESOLUTIONS = (CROP_SIZE, 2 * CROP_SIZE)
"""Sides of the portrait crops that can be animated, px."""
STILL = 0.5
"""Mean landmark motion in pixels below which a window stays close to the portrait's own."""

EYES_FEATHER = 16
"""Px from the edge of the eyes' window over which its own flow takes over. Over fewer, brows and
forehead are torn into streaks where the residual flow ends.
"""
LIFT_FEATHER = 4
"""Px from the edge of the eyes' window over which closing lids are blended in."""
SKIN_KEPT = 0.7
"""How far the skin around lids that move goes with the residual flow, not with the painter's, which
draws lashes and the rims of glasses along with the lids.
"""


@dataclass(frozen=True)
class TranslatorConfig:
    """Sizes of the visual translator; saved with its weights."""

    mouth: PainterConfig = field(default_factory=PainterConfig)
    eyes: PainterConfig = field(
        default_factory=lambda: PainterConfig(widths=(24, 48, 64), blocks=(1, 1, 1))
    )
    motion_width: int = 32
    dentitions: int = 6

    @classmethod
    def from_header(cls, sizes: dict[str, Any]) -> Self:
        """Rebuild the sizes from a checkpoint's header."""
        painters = {
            name: PainterConfig(
                widths=tuple(sizes[name]["widths"]),
                landmark_widths=tuple(sizes[name]["landmark_widths"]),
                blocks=tuple(sizes[name]["blocks"]),
                shape_width=sizes[name]["shape_width"],
                retouch_width=sizes[name]["retouch_width"],
            )
            for name in ("mouth", "eyes")
        }
        return cls(**painters, motion_width=sizes["motion_width"], dentitions=sizes["dentitions"])


class VisualTranslator(nn.Module):
    """Stage two: `prepare` a portrait once, then `render` it for any landmarks."""

    def __init__(self, config: TranslatorConfig) -> None:
        super().__init__()
        self.config = config
        self.motion = MotionNet(config.motion_width)
        self.mouth = Painter(MOUTH, config.mouth)
        self.eyes = Painter(EYES, config.eyes)
        self.dentitions = Dentitions(config.dentitions)

    @classmethod
    def load(cls, device: torch.device, path: Path = WEIGHTS / CHECKPOINT) -> Self:
        """Read the weights that the repository ships.

        Raises:
            CheckpointError: the file is missing or damaged.
        """
        state, sizes = load_checkpoint(path)
        translator = cls(TranslatorConfig.from_header(sizes))
        translator.load_state_dict(state)
        return translator.to(device, memory_format=torch.channels_last).eval()  # type: ignore[call-overload,no-any-return]

    @torch.inference_mode()
    def prepare(
        self,
        crop: NDArray[np.uint8],
        landmarks: NDArray[np.float32],
        silhouette: NDArray[np.float32] | None = None,
    ) -> PortraitFeatures:
        """Take in a portrait crop `[S, S, 3]` RGB and its landmarks `[79, 2]`.

        S is 256 or 512; landmarks are in px of a 256 px crop either way. Outside of `silhouette`,
        `[256, 256]` in 0-1, the background stays still; without it, it moves with the head.

        Raises:
            ValueError: the crop has another size.
        """
        if crop.shape[:2] not in {(side, side) for side in RESOLUTIONS}:
            raise ValueError(f"Crops are {RESOLUTIONS} px square; this one is {crop.shape[:2]}.")
        device = next(self.parameters()).device
        image = torch.from_numpy(np.array(crop)).to(device).permute(2, 0, 1)[None].float() / 255
        points = torch.from_numpy(np.array(landmarks, np.float32)).to(device)[None]
        scale = len(crop) // CROP_SIZE
        skin = complexion(image, points, points.new_zeros(1, 2), scale)
        mouth, lip_edge = read_open_mouth(image, points, scale, skin), None
        if mouth is not None:
            lip_edge = LowerLipEdge.read(image, points, scale)
            points = lip_edge.raised(points)
            mouth = within(mouth, points)
        glasses, palette = Glasses.of(crop, landmarks, device), read_palette(image)
        return PortraitFeatures(
            crop=np.ascontiguousarray(crop),
            image=image,
            thumbnail=F.avg_pool2d(image, MOTION_STRIDE * scale),
            landmarks=points,
            teeth=self._teeth(points, mouth, skin),
            mouth=mouth,
            lips=bare_lips(
                image, points, scale, on_teeth=lip_edge is not None and lip_edge.on_teeth
            ),
            lip_edge=lip_edge,
            skin=skin,
            slant=sidelight(image, points, points.new_zeros(1, 2), scale),
            palette=palette,
            mobility=None if silhouette is None else mobility(silhouette, landmarks).to(device),
            glasses=glasses,
            folds=smile_folds(image, points, scale),
            creases=creases(image, points, scale, glasses, grey=palette is not None),
        )

    def _teeth(self, landmarks: Tensor, mouth: OpenMouth | None, skin: Tensor) -> Tensor:
        """Return maps `[1, 2, 4, 128, 256]`: borrowed teeth, as light and as low as its own."""
        if mouth is None or mouth.gives_way:
            return self.dentitions.borrowed(landmarks)
        tips = mouth.tips if mouth.upper.shown else BELOW_PARTED[0]
        teeth = self.dentitions.borrowed(landmarks, (tips, BELOW_PARTED[1]))
        if mouth.upper.shown or mouth.lower.shown:
            upper = mouth.enamel if mouth.last is None else mouth.last
            colours = torch.stack([upper, mouth.enamel], dim=1)
            likeness = colours / self.mouth.inside.enamel_colour(skin)[:, None]
            teeth[:, :, :3] *= likeness[..., None, None]
        if mouth.ends is not None:
            teeth[:, 0] = bent_to(teeth[:, 0], landmarks, mouth.ends, MOUTH)
        return teeth

    @torch.inference_mode()
    def render(
        self, features: PortraitFeatures, landmarks: NDArray[np.float32]
    ) -> NDArray[np.uint8]:
        """Render `[B, S, S, 3]` RGB frames under landmarks `[B, 79, 2]`, px of a 256 px crop."""
        rendering = self.animate(features, landmarks)
        if features.image.device.type == "cpu":
            return draw_on_cpu(features.crop, rendering)
        return draw_on_device(features.image, rendering).cpu().numpy()

    @torch.inference_mode()
    def animate(self, features: PortraitFeatures, landmarks: NDArray[np.float32]) -> Rendering:
        """Render frames under landmarks `[B, 79, 2]` px, and keep how they came about."""
        device = features.image.device
        points = torch.from_numpy(np.array(landmarks, np.float32)).to(device)
        with mixed_precision(device):
            rendering: Rendering = self(features, points)
        return rendering

    def forward(self, features: PortraitFeatures, landmarks: Tensor) -> Rendering:
        """Render the portrait under landmarks `[B, 79, 2]` px."""
        if features.lip_edge:
            landmarks = features.lip_edge.raised(landmarks)
        source = features.landmarks.expand(len(landmarks), -1, -1)
        prior = spline_flow(source, landmarks)
        # The motion network raises the lids of eyes that close, which the warp holds up already.
        held = held_up(source, landmarks)
        lifted = lift(source, landmarks, held, prior, held.new_zeros(len(held), 2))
        residual = lifted + self._residual(features, prior + lifted, source, held)
        if features.glasses:
            prior, residual = features.glasses.hold(prior, residual, source, landmarks)
        mouth, eyes = (
            _painted(painter, features, prior, residual, lifted, shown, landmarks)
            for painter, shown in ((self.mouth, landmarks), (self.eyes, held))
        )
        flow = prior + residual
        if features.mobility is not None:
            flow = flow * features.mobility
        mouth = _with_lips_closed(mouth, features, flow, landmarks)
        layers = [mouth, eyes]
        if features.folds:
            layers.insert(0, features.folds.smoothed(source, landmarks, flow, features.scale))
        if features.creases:
            drawn = features.creases.drawn(source, landmarks, flow, features.scale)
            layers += [drawn] if drawn else []
        return Rendering(flow, tuple(layers), features.scale)

    def _residual(
        self, features: PortraitFeatures, prior: Tensor, source: Tensor, target: Tensor
    ) -> Tensor:
        """Return the motion network's flow `[B, 2, 64, 64]`, zero for a face at rest."""
        thumbnail = features.thumbnail.expand(len(target), -1, -1, -1)
        flow = upsample_flow(self.motion(thumbnail, prior, source, target), 2)
        return flow * _unrest(source, target)[:, None, None, None]


def _painted(
    painter: Painter,
    features: PortraitFeatures,
    prior: Tensor,
    residual: Tensor,
    lifted: Tensor,
    shown: Tensor,
    target: Tensor,
) -> Layer:
    """Paint a region, feathered, the less the nearer to rest it is.

    A painter refines the prior alone: its layer takes back what the residual flow adds to that. The
    window lies around the region of the landmarks `shown`: for the eyes, around what closing lids
    cover, the open eye. It bends no glasses. `lifted` is what holds their upper lids up,
    `[B, 2, 64, 64]` px.
    """
    region, batch, scale = painter.region, len(target), features.scale
    eyes = region is EYES
    origin = window_origin(shown, region)
    window = features.window(window_flow(prior, origin, region), target, origin)
    room = None
    if eyes:
        lifted = window_flow(lifted, origin, region)
        if features.glasses:
            room = features.glasses.room(region, origin, window.source, target)
            lifted = limited(lifted, room)
        frame = None if room is None else room / GIVE
        nodes = window_flow(residual, origin, region)
        moved = SKIN_KEPT * moved_share(window.source, target, nodes.shape[-1])
        window = replace(window, lift=torch.lerp(lifted, nodes, moved), frame=frame)
    paint = painter.paint(window)
    colour = features.palette.tint(paint.colour) if features.palette else paint.colour
    unrest = _unrest(features.landmarks, target, region).reshape(batch, 1, 1, 1)
    weight = feather(region, scale=scale).to(colour)
    beneath = upsample_flow(window_flow(residual, origin, region), FLOW_STRIDE * scale)
    shift = weight * (paint.flow - beneath)
    if eyes:
        width = weight.shape[-1]
        drawn = drawn_share(window.source, target, width)
        unrest = torch.maximum(unrest, drawn)
        kept = SKIN_KEPT * moved_share(window.source, target, width)
        wide = feather(region, EYES_FEATHER, scale).to(colour) * (1 - kept)
        near = feather(region, LIFT_FEATHER, scale).to(colour)
        beneath = beneath - upsample_flow(lifted, FLOW_STRIDE * scale)
        shift = wide * (paint.flow - beneath)
        if room is not None:
            shift = limited(shift, upsample_flow(room, FLOW_STRIDE * scale))
        weight = torch.lerp(weight, near, drawn)
    opacity = unrest * weight * (1 - paint.mask)
    return Layer(origin, unrest * shift, opacity * colour, opacity)


def _with_lips_closed(
    layer: Layer, features: PortraitFeatures, flow: Tensor, target: Tensor
) -> Layer:
    """Return the mouth's layer with what an open portrait shows covered where lips close.

    Like a painter's layer, the cover takes back what the flow beneath it does.
    """
    rows = lips_close(features.landmarks, target).nonzero()[:, 0]
    if not len(rows):
        return layer
    image = features.image.expand(len(rows), -1, -1, -1)
    source = features.landmarks.expand(len(rows), -1, -1)
    lips = features.lips.expand(len(rows))
    cover = cover_mouth(image, lips, source, target[rows], features.scale, features.mouth)
    moved = window_flow(flow[rows], cover.origin, MOUTH)
    beneath = upsample_flow(moved, FLOW_STRIDE * features.scale)
    changes = (
        (layer.shift, cover.shift - beneath),
        (layer.colour, cover.colour),
        (layer.opacity, cover.opacity),
    )
    covered = (
        old.index_copy(0, rows, torch.lerp(old[rows], new, cover.weight)) for old, new in changes
    )
    return Layer(layer.origin, *covered)


def _unrest(source: Tensor, target: Tensor, region: Region | None = None) -> Tensor:
    """Return `[B]` in 0-1: 0 where the landmarks lie as in the portrait."""
    motion = (source - target).norm(dim=-1)
    if region:
        motion = motion[:, region.points]
    return 1 - torch.exp(-(motion.mean(dim=1) / STILL).square())
