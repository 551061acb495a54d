"""Stage two: one portrait and a sequence of landmarks become video frames.

    portrait, landmarks ──► thin-plate warp + residual flow ──────────────► frame
                                     │ window of mouth, window of eyes        ▲
                                     ▼                                        │ feathered in
                   painter: feature-adaptive transformation ──► mask, colour ──┘

The warp carries identity, hair and background. Only what it cannot reveal, teeth and eyes, is
painted.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from models.checkpoints import load_checkpoint
from models.face.landmarks import CROP_SIZE, NUM_LANDMARKS
from models.landmarks_to_video.dentition import Dentitions
from models.landmarks_to_video.face_regions import (
    EYES,
    MOUTH,
    Region,
    cut,
    feather,
    paste,
    window_origin,
)
from models.landmarks_to_video.layers import Downsample, FeatureAdaptiveStack, Upsample, silence
from models.landmarks_to_video.lip_closing import Cover, cover_mouth, lips_close, window_flow
from models.landmarks_to_video.monochrome import Palette, read_palette
from models.landmarks_to_video.painter import Painter, PainterConfig, Painting, Window
from models.landmarks_to_video.warping import (
    FLOW_STRIDE,
    FLOW_UNIT,
    flow_coordinates,
    sample,
    spline_flow,
    upsample_flow,
)
from models.manifest import WEIGHTS

CHECKPOINT = "visual_translator.safetensors"
RESOLUTIONS = (CROP_SIZE, 2 * CROP_SIZE)
"""Sides of the portrait crops that can be animated, px."""
MOTION_STRIDE = 4
"""The motion network sees the face at a quarter of its resolution."""
MOTION_UNIT = 4.0
"""Scale of the motion network's residual flow, in pixels."""
STILL = 0.5
"""Mean landmark motion in pixels below which a window stays close to the portrait's own."""


@dataclass(frozen=True)
class TranslatorConfig:
    """Sizes of the visual translator; saved with its weights."""

    mouth: PainterConfig = field(default_factory=PainterConfig)
    eyes: PainterConfig = field(
        default_factory=lambda: PainterConfig(widths=(24, 48, 64), blocks=(1, 1, 1))
    )
    motion_width: int = 32
    dentitions: int = 8

    @classmethod
    def from_header(cls, sizes: dict[str, Any]) -> Self:
        """Rebuild the sizes from a checkpoint's header."""
        painters = {
            name: PainterConfig(
                widths=tuple(sizes[name]["widths"]),
                landmark_widths=tuple(sizes[name]["landmark_widths"]),
                blocks=tuple(sizes[name]["blocks"]),
                shape_width=sizes[name]["shape_width"],
                fine_width=sizes[name]["fine_width"],
            )
            for name in ("mouth", "eyes")
        }
        return cls(**painters, motion_width=sizes["motion_width"], dentitions=sizes["dentitions"])


class MotionNet(nn.Module):
    """Adds to the thin-plate flow what landmarks do not determine: hair, neck, cheeks, depth."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.pose = nn.Sequential(
            nn.Linear(4 * NUM_LANDMARKS, 128), nn.SiLU(), nn.Linear(128, 2 * width)
        )
        self.stem = nn.Conv2d(8, width, 3, stride=2, padding=1)
        self.down = Downsample(width, 2 * width)
        self.middle = FeatureAdaptiveStack(2 * width, 2 * width, 2)
        self.up = Upsample(2 * width, width)
        self.out = nn.Conv2d(width, 2, 3, padding=1)
        silence(self.out)

    def forward(self, thumbnail: Tensor, prior: Tensor, source: Tensor, target: Tensor) -> Tensor:
        """Return the residual flow `[B, 2, 32, 32]`, px.

        Args:
            thumbnail: `[B, 3, 64, 64]` the portrait, 0-1.
            prior: `[B, 2, 64, 64]` the thin-plate flow, px.
            source: `[B, 79, 2]` the portrait's landmarks, px.
            target: `[B, 79, 2]` the wanted landmarks, px.
        """
        centre = (MOTION_STRIDE - 1) / 2
        places = (flow_coordinates(prior, MOTION_STRIDE) - centre) / MOTION_STRIDE
        warped = sample(thumbnail, places)
        wide = self.stem(torch.cat([thumbnail, warped, prior / FLOW_UNIT], dim=1))
        deep = self.down(F.silu(wide))
        pose = self.pose(torch.cat([source, target], dim=1).flatten(1) / CROP_SIZE - 0.5)
        deep = self.middle(deep, pose[:, :, None, None].expand_as(deep))
        residual: Tensor = self.out(F.silu(wide + self.up(deep))).float() * MOTION_UNIT
        return residual


@dataclass(frozen=True)
class PortraitFeatures:
    """A prepared portrait, on the translator's device.

    image: `[1, 3, S, S]` float32 in 0-1, S 256 or 512.
    thumbnail: `[1, 3, 64, 64]`.
    landmarks: `[1, 79, 2]` px of a 256 px crop, whatever S.
    teeth: `[1, 2, 4, 64, 128]` its own, or others that fit (`models.dentition`).
    palette: the colours of a portrait with a single hue, or None.
    """

    image: Tensor
    thumbnail: Tensor
    landmarks: Tensor
    teeth: Tensor
    palette: Palette | None = None

    @property
    def scale(self) -> int:
        """Pixels of the image for each pixel of a 256 px crop: 1 or 2."""
        return self.image.shape[-1] // CROP_SIZE


@dataclass(frozen=True)
class Layer:
    """What one painter laid over the warped portrait, and where.

    Of a frame of S px, h and w are S / 256 times the window's size.

    origin: `[B, 2]` left and top of its window, whole px of a 256 px crop.
    shift: `[B, 2, h, w]` what it adds to the flow beneath, px of a 256 px crop.
    colour: `[B, 3, h, w]` new colour, 0-1, already multiplied by its opacity.
    opacity: `[B, 1, h, w]` 0-1; what is left over, the warp shows through.
    """

    origin: Tensor
    shift: Tensor
    colour: Tensor
    opacity: Tensor


@dataclass(frozen=True)
class Rendering:
    """Rendered frames and the intermediate results.

    frames: `[B, 3, S, S]` float32, 0-1, S that of the portrait.
    flow: `[B, 2, 64, 64]` backward flow, px of a 256 px crop, whatever S.
    layers: one per painter, from bottom to top.
    """

    frames: Tensor
    flow: Tensor
    layers: tuple[Layer, ...]


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
    def prepare(self, crop: NDArray[np.uint8], landmarks: NDArray[np.float32]) -> PortraitFeatures:
        """Take in a portrait crop `[S, S, 3]` RGB and its landmarks `[79, 2]`.

        S is 256 or 512; landmarks are in px of a 256 px crop either way.

        Raises:
            ValueError: the crop has another size.
        """
        if crop.shape[:2] not in {(side, side) for side in RESOLUTIONS}:
            raise ValueError(f"Crops are {RESOLUTIONS} px square; this one is {crop.shape[:2]}.")
        device = next(self.parameters()).device
        image = torch.from_numpy(np.array(crop)).to(device).permute(2, 0, 1)[None].float() / 255
        points = torch.from_numpy(np.array(landmarks, np.float32)).to(device)[None]
        scale = len(crop) // CROP_SIZE
        return PortraitFeatures(
            image=image,
            thumbnail=F.avg_pool2d(image, MOTION_STRIDE * scale),
            landmarks=points,
            teeth=self.dentitions.of(image, points, scale, self.mouth.inside.enamel_colour),
            palette=read_palette(image),
        )

    @torch.inference_mode()
    def render(
        self, features: PortraitFeatures, landmarks: NDArray[np.float32]
    ) -> NDArray[np.uint8]:
        """Render `[B, S, S, 3]` RGB frames under landmarks `[B, 79, 2]`, px of a 256 px crop."""
        frames = self.animate(features, landmarks).frames
        pixels = (frames * 255).round().byte().permute(0, 2, 3, 1)
        return np.ascontiguousarray(pixels.cpu().numpy())

    @torch.inference_mode()
    def animate(self, features: PortraitFeatures, landmarks: NDArray[np.float32]) -> Rendering:
        """Render frames under landmarks `[B, 79, 2]` px, and keep how they came about."""
        device = features.image.device
        points = torch.from_numpy(np.array(landmarks, np.float32)).to(device)
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=computes_bfloat16(device)):
            rendering: Rendering = self(features, points)
        return rendering

    def forward(self, features: PortraitFeatures, landmarks: Tensor) -> Rendering:
        """Render the portrait under landmarks `[B, 79, 2]` px."""
        batch, scale = len(landmarks), features.scale
        image = features.image.expand(batch, -1, -1, -1)
        source = features.landmarks.expand(batch, -1, -1)
        prior = spline_flow(source, landmarks)
        flow = prior + self._residual(features, prior, source, landmarks)
        places = flow_coordinates(upsample_flow(flow, FLOW_STRIDE * scale), 1 / scale)
        frame = sample(image, places, scale)
        layers = []
        for painter in (self.mouth, self.eyes):
            frame, layer = _paint_window(painter, frame, features, prior, flow, landmarks)
            layers.append(layer)
        frame, layers[0] = _close_lips(frame, layers[0], flow, prior, features, landmarks)
        return Rendering(frame.clamp(0, 1), flow, tuple(layers))

    def _residual(
        self, features: PortraitFeatures, prior: Tensor, source: Tensor, target: Tensor
    ) -> Tensor:
        """Return the motion network's flow `[B, 2, 64, 64]`, zero for a face at rest."""
        thumbnail = features.thumbnail.expand(len(target), -1, -1, -1)
        residual = upsample_flow(self.motion(thumbnail, prior, source, target), 2)
        return residual * _unrest(source, target)[:, None, None, None]


def computes_bfloat16(device: torch.device) -> bool:
    """Return whether the device multiplies bfloat16 in hardware, so that autocast pays off."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    return bool(torch.cpu.get_capabilities().get("avx512_bf16", False))


def _paint_window(
    painter: Painter,
    frame: Tensor,
    features: PortraitFeatures,
    prior: Tensor,
    whole: Tensor,
    target: Tensor,
) -> tuple[Tensor, Layer]:
    """Paint a region over the warped frame, feathered, the less the nearer to rest it is.

    A painter refines the prior alone: its layer takes back what the whole flow adds to that.
    """
    region, batch, scale = painter.region, len(target), features.scale
    image, source, teeth = (
        t.expand(batch, *t.shape[1:]) for t in (features.image, features.landmarks, features.teeth)
    )
    origin = window_origin(target, region)
    flow = cut(
        prior, origin // FLOW_STRIDE, region.height // FLOW_STRIDE, region.width // FLOW_STRIDE
    )
    window = Window(image, torch.zeros_like(origin), flow, source, target, origin, teeth, scale)
    painting: Painting = painter(window)
    colour = features.palette.tint(painting.colour) if features.palette else painting.colour
    weight = feather(region, scale=scale).to(frame) * _unrest(source, target, region).reshape(
        -1, 1, 1, 1
    )
    opacity = weight * (1 - painting.mask)
    nodes = region.height // FLOW_STRIDE, region.width // FLOW_STRIDE
    residual = upsample_flow(cut(whole - prior, origin // FLOW_STRIDE, *nodes), FLOW_STRIDE * scale)
    shift = weight * (painting.flow - residual)
    layer = Layer(origin, shift, opacity * colour, opacity)
    return _laid_over(frame, layer, painting, weight, scale), layer


def _laid_over(
    frame: Tensor, layer: Layer, painting: Painting, weight: Tensor, scale: int
) -> Tensor:
    """Return the frame with the painter's warp and, upon it, its colour."""
    origin = layer.origin * scale
    warped = cut(frame, origin, *weight.shape[-2:])
    pixels = warped * (1 - weight) + weight * painting.mask * painting.warp + layer.colour
    return paste(frame, pixels, origin)


def _close_lips(
    frame: Tensor,
    layer: Layer,
    flow: Tensor,
    prior: Tensor,
    features: PortraitFeatures,
    target: Tensor,
) -> tuple[Tensor, Layer]:
    """Cover what an open portrait shows where lips close, and change the mouth's layer alike."""
    rows = lips_close(features.landmarks, target).nonzero()[:, 0]
    if not len(rows):
        return frame, layer
    image = features.image.expand(len(rows), -1, -1, -1)
    source = features.landmarks.expand(len(rows), -1, -1)
    cover = cover_mouth(image, source, target[rows], (flow - prior)[rows], features.scale)
    return _covered(frame, layer, cover, image, flow, rows)


def _covered(
    frame: Tensor, layer: Layer, cover: Cover, image: Tensor, flow: Tensor, rows: Tensor
) -> tuple[Tensor, Layer]:
    """Lay a cover over some rows of the frames `[B, 3, S, S]`, and under their colours."""
    scale = frame.shape[-1] // CROP_SIZE
    origin, size = cover.origin * scale, cover.weight.shape[-2:]
    beneath = window_flow(flow[rows], cover.origin, scale)
    shift = torch.lerp(layer.shift[rows], cover.shift - beneath, cover.weight)
    pixels = sample(image, cover.places, scale) * (1 - cover.opacity) + cover.colour
    pixels = torch.lerp(cut(frame[rows], origin, *size), pixels, cover.weight)
    frame = frame.index_copy(0, rows, paste(frame[rows], pixels, origin))
    changed = [(layer.shift, shift)] + [
        (old, torch.lerp(old[rows], new, cover.weight))
        for old, new in ((layer.colour, cover.colour), (layer.opacity, cover.opacity))
    ]
    return frame, Layer(layer.origin, *(old.index_copy(0, rows, new) for old, new in changed))


def _unrest(source: Tensor, target: Tensor, region: Region | None = None) -> Tensor:
    """Return `[B]` in 0-1: 0 where the landmarks lie as in the portrait."""
    motion = (source - target).norm(dim=-1)
    if region:
        motion = motion[:, region.points]
    return 1 - torch.exp(-(motion.mean(dim=1) / STILL).square())
