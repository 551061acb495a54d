"""Painting one window of a face: what a warp cannot reveal, from landmarks and warped pixels."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.landmarks_to_video.dentition import drawn_teeth
from models.landmarks_to_video.face_regions import (
    ANCHOR_CHANNELS,
    GEOMETRY_CHANNELS,
    GEOMETRY_STRIDE,
    Region,
    region_geometry,
    region_shape,
    share_seen,
)
from models.landmarks_to_video.layers import (
    Downsample,
    FeatureAdaptiveBlock,
    FeatureAdaptiveStack,
    PixelNorm,
    Upsample,
    silence,
)
from models.landmarks_to_video.warping import (
    FLOW_STRIDE,
    FLOW_UNIT,
    flow_coordinates,
    sample,
    upsample_flow,
)

REFINEMENT = 4.0
"""Largest shift in px that a painter adds to the warp."""
INTERIOR = (0.30, 0.20, 0.20)
"""Where an unseen interior's colour starts, relative to the window's mean."""
INTERIOR_LOGIT = 4.0
"""How surely, untrained, an unseen interior is painted and its surroundings are not."""
TEXTURE_SIZE, TEXTURE_CHANNELS, TEXTURE_REACH = 128, 4, 0.75
"""Learnt maps around each anchor: side in texels, channels, inter-ocular distances to an edge."""


@dataclass(frozen=True)
class PainterConfig:
    """Widths of one painter at a half, a quarter and an eighth of the resolution."""

    widths: tuple[int, int, int] = (40, 80, 128)
    landmark_widths: tuple[int, int, int] = (32, 48, 64)
    blocks: tuple[int, int, int] = (1, 1, 2)
    shape_width: int = 128


@dataclass(frozen=True)
class Window:
    """One window to paint.

    image: `[B, 3, H, W]` the portrait or a cut-out of it, 0-1.
    shift: `[B, 2]` left and top of that cut-out in the portrait, px.
    flow: `[B, 2, h / 4, w / 4]` thin-plate flow over the window, px.
    source, target: `[B, 79, 2]` the portrait's and the wanted landmarks, px.
    origin: `[B, 2]` left and top of the window in the wanted frame, px.
    """

    image: Tensor
    shift: Tensor
    flow: Tensor
    source: Tensor
    target: Tensor
    origin: Tensor


@dataclass(frozen=True)
class Painting:
    """A painted window, float32 and about 0-1.

    pixels `[B, 3, h, w]` are `mask * warp + (1 - mask) * colour`: warp `[B, 3, h, w]` is the
    portrait under the refined flow, colour `[B, 3, h, w]` is new, mask `[B, 1, h, w]` chooses;
    flow `[B, 2, h, w]` is the refinement, px.
    """

    pixels: Tensor
    warp: Tensor
    colour: Tensor
    mask: Tensor
    flow: Tensor


class Painter(nn.Module):
    """Paints one region's window from its warped pixels, its landmark maps and the face's shape."""

    def __init__(self, region: Region, config: PainterConfig) -> None:
        super().__init__()
        self.region = region
        half, quarter, eighth = config.widths
        l_half, l_quarter, l_eighth = config.landmark_widths
        self.shape = nn.Sequential(
            nn.Linear(4 * len(region.points), config.shape_width),
            nn.SiLU(),
            nn.Linear(config.shape_width, l_half),
        )
        self.landmarks_half = nn.Conv2d(GEOMETRY_CHANNELS + 2, l_half, 3, padding=1)
        self.landmarks_quarter = Downsample(l_half, l_quarter)
        self.landmarks_eighth = Downsample(l_quarter, l_eighth)
        self.textures = AnchoredTextures(drawn_teeth if region.unseen else None)
        self.stem = nn.Conv2d(4 * (3 + 2 * TEXTURE_CHANNELS), half, 3, padding=1)
        self.half_in = FeatureAdaptiveBlock(half, l_half)
        self.down_quarter = Downsample(half, quarter)
        self.quarter_in = FeatureAdaptiveBlock(quarter, l_quarter)
        self.down_eighth = Downsample(quarter, eighth)
        self.eighth = FeatureAdaptiveStack(eighth, l_eighth, config.blocks[2])
        self.up_quarter = Upsample(eighth, quarter)
        self.quarter_out = FeatureAdaptiveStack(quarter, l_quarter, config.blocks[1])
        self.up_half = Upsample(quarter, half)
        self.half_out = FeatureAdaptiveStack(half, l_half, config.blocks[0])
        self.norm = PixelNorm()
        if region.unseen:
            self.interior = nn.Parameter(torch.tensor(INTERIOR).reshape(1, 3, 1, 1))
        self.head = nn.Conv2d(half, 16, 3, padding=1)
        self.flow_head = nn.Conv2d(quarter, 2, 3, padding=1)
        silence(self.head, 1e-3)
        silence(self.flow_head, 1e-3)

    def forward(self, window: Window) -> Painting:
        """Paint the window; untrained, it is the warp, with an unseen interior in the dark."""
        coordinates = flow_coordinates(upsample_flow(window.flow, FLOW_STRIDE))
        coordinates = coordinates + (window.origin - window.shift).to(coordinates)[:, None, None]
        warped = sample(window.image, coordinates)
        geometry = region_geometry(window.target, self.region, window.origin)
        seen = torch.cat([warped * 2 - 1, self.textures(geometry)], dim=1)
        paint, fine = self._propose(seen, self._landmark_features(window, geometry))
        warp = sample(window.image, coordinates + fine.permute(0, 2, 3, 1))
        colour, mask = self._start(warped, geometry)
        colour, mask = colour + paint[:, :3], torch.sigmoid(mask + paint[:, 3:])
        mask = mask * (1 - self._hidden(window, geometry))
        return Painting(mask * warp + (1 - mask) * colour, warp, colour, mask, fine)

    def _start(self, warped: Tensor, geometry: Tensor) -> tuple[Tensor, Tensor]:
        """Return the colour and the mask logit that the network's proposals are added to."""
        if not self.region.unseen:
            return warped, warped.new_ones(1)
        light = warped.mean(dim=(2, 3), keepdim=True)
        inside = upsample_flow(geometry[:, :1], GEOMETRY_STRIDE)
        return light * self.interior, -INTERIOR_LOGIT * inside

    def _hidden(self, window: Window, geometry: Tensor) -> Tensor:
        """Return `[B, 1, h, w]`: 1 inside lips that the portrait has closed, where none is kept."""
        if not self.region.unseen:
            return geometry.new_zeros(1)
        inside = upsample_flow(geometry[:, :1], GEOMETRY_STRIDE).clamp_min(0)
        seen = share_seen(window.source, window.target, self.region)
        return inside * (1 - seen[:, None, None, None])

    def _landmark_features(self, window: Window, geometry: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the maps that drive the transformation, at a half, a quarter and an eighth."""
        flow = upsample_flow(window.flow, FLOW_STRIDE // GEOMETRY_STRIDE) / FLOW_UNIT
        shapes = [region_shape(points, self.region) for points in (window.source, window.target)]
        shape = self.shape(torch.cat(shapes, dim=1))[:, :, None, None]
        half = F.silu(self.landmarks_half(torch.cat([geometry, flow], dim=1)) + shape)
        quarter = F.silu(self.landmarks_quarter(half))
        return half, quarter, F.silu(self.landmarks_eighth(quarter))

    def _propose(
        self, seen: Tensor, landmarks: tuple[Tensor, Tensor, Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Return colour change and mask logit `[B, 4, h, w]` and the finer flow `[B, 2, h, w]`."""
        l_half, l_quarter, l_eighth = landmarks
        half = self.half_in(self.stem(F.pixel_unshuffle(seen, 2)), l_half)
        quarter = self.quarter_in(self.down_quarter(half), l_quarter)
        eighth = self.eighth(self.down_eighth(quarter), l_eighth)
        quarter = self.quarter_out(quarter + self.up_quarter(eighth), l_quarter)
        half = self.half_out(half + self.up_half(quarter), l_half)
        paint = F.pixel_shuffle(self.head(F.silu(self.norm(half))), 2).float()
        shift = torch.tanh(self.flow_head(F.silu(self.norm(quarter))).float())
        return paint, upsample_flow(REFINEMENT * shift, 4)


class AnchoredTextures(nn.Module):
    """Learnt maps that are fixed to a region's two anchors and move with them.

    Teeth do not deform: the upper ones hang on the skull, the lower ones on the jaw. A sharp map at
    the right place leaves it to the painter only to tint and to uncover it (after the neural
    textures of Thies et al., arXiv:1904.12356).
    """

    def __init__(self, drawing: Callable[[int, float], Tensor] | None) -> None:
        super().__init__()
        maps = 0.1 * torch.randn(2, TEXTURE_CHANNELS, TEXTURE_SIZE, TEXTURE_SIZE)
        if drawing:
            maps[:, 0] = drawing(TEXTURE_SIZE, TEXTURE_REACH)
        self.maps = nn.Parameter(maps)

    def forward(self, geometry: Tensor) -> Tensor:
        """Return `[B, 2 * TEXTURE_CHANNELS, h, w]` for a region's geometry at half the size."""
        place = upsample_flow(geometry[:, ANCHOR_CHANNELS], GEOMETRY_STRIDE) / TEXTURE_REACH
        sampled = [
            F.grid_sample(
                texture.expand(len(place), -1, -1, -1),
                coordinates.permute(0, 2, 3, 1),
                align_corners=True,
            )
            for texture, coordinates in zip(self.maps, place.chunk(2, dim=1), strict=True)
        ]
        return torch.cat(sampled, dim=1)
