"""Painting one window of a face: what a warp cannot reveal, from landmarks and warped pixels."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.landmarks_to_video.complexion import COMPLEXION, complexion
from models.landmarks_to_video.dentition import TEETH_CHANNELS, drawn_teeth, place_teeth
from models.landmarks_to_video.face_regions import (
    ANCHOR_CHANNELS,
    GEOMETRY_CHANNELS,
    GEOMETRY_STRIDE,
    Region,
    region_geometry,
    region_shape,
)
from models.landmarks_to_video.interior import CORRECTIONS, RIM, Interior, Opening, kept_share
from models.landmarks_to_video.layers import (
    Downsample,
    FeatureAdaptiveBlock,
    FeatureAdaptiveStack,
    PixelNorm,
    Upsample,
    zero_init,
)
from models.landmarks_to_video.lids import move_lids
from models.landmarks_to_video.warping import (
    FLOW_STRIDE,
    FLOW_UNIT,
    flow_coordinates,
    sample,
    upsample_flow,
)

REFINEMENT = 4.0
"""Maximum shift in px that a painter adds to the warp."""
INTERIOR = (0.30, 0.20, 0.20)
"""Initial colour of an unseen interior, relative to the window's mean."""
INTERIOR_LOGIT = 4.0
"""How surely, untrained, an unseen interior is painted and its surroundings are not."""
TEXTURE_SIZE, TEXTURE_CHANNELS, TEXTURE_REACH = 128, 4, 0.75
"""Learned textures around each anchor: side in texels, channels, inter-ocular distances to an edge.
"""
FINE_FACTOR = 2
"""How much finer than the crop the fine head paints."""


@dataclass(frozen=True)
class PainterConfig:
    """Widths of a painter at a half, a quarter and an eighth of the resolution."""

    widths: tuple[int, int, int] = (40, 80, 128)
    landmark_widths: tuple[int, int, int] = (32, 48, 64)
    blocks: tuple[int, int, int] = (1, 1, 2)
    shape_width: int = 128
    fine_width: int = 24


@dataclass(frozen=True)
class Window:
    """One window to paint.

    All places are pixels of a 256 px crop; the picture may have `scale` times as many.

    image: `[B, 3, scale * H, scale * W]` the portrait or a cut-out of it, 0-1.
    shift: `[B, 2]` left and top of that cut-out in the portrait, px.
    flow: `[B, 2, h / 4, w / 4]` thin-plate flow over the window, px.
    source, target: `[B, 79, 2]` the portrait's and the wanted landmarks, px.
    origin: `[B, 2]` left and top of the window in the wanted frame, px.
    teeth: `[B, 2, 4, 64, 128]` the person's upper and lower teeth (`models.dentition`), or None.
    scale: 1 or 2.
    skin: `[B, COMPLEXION]` of the region, if it is known already.
    """

    image: Tensor
    shift: Tensor
    flow: Tensor
    source: Tensor
    target: Tensor
    origin: Tensor
    teeth: Tensor | None = None
    scale: int = 1
    skin: Tensor | None = None

    def complexion(self, region: Region) -> Tensor:
        """Return the colours `[B, COMPLEXION]` of the portrait around a region."""
        if self.skin is not None:
            return self.skin
        return complexion(self.image, self.source, self.shift, region, self.scale)

    def places(self) -> Tensor:
        """Return where in the image the pixels of the warped window lie, `[B, h, w, 2]` px."""
        places = flow_coordinates(
            upsample_flow(self.flow, FLOW_STRIDE * self.scale), 1 / self.scale
        )
        return places + (self.origin - self.shift).to(places)[:, None, None]


@dataclass(frozen=True)
class Paint:
    """What a painter adds to a warped window, float32; h and w are `scale` times the region's.

    colour: `[B, 3, h, w]` about 0-1.
    mask: `[B, 1, h, w]` 0-1, the share of the warp that is seen; the colour is the rest.
    flow: `[B, 2, h, w]` refinement of the warp, px.
    """

    colour: Tensor
    mask: Tensor
    flow: Tensor


@dataclass(frozen=True)
class Painting:
    """A painted window, float32 and about 0-1; h and w are `scale` times those of the region.

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
    """Paints one region's window from its warped pixels, its landmark maps and the face's shape.

    Both resolutions share the trunk, which sees the window at the crop's. What it proposes is
    enlarged for a finer window, and a fine head adds to it what it sees in the finer pixels.
    """

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
        self.complexion = nn.Linear(COMPLEXION, l_half)
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
        self.head = nn.Conv2d(half, 16, 3, padding=1)
        self.flow_head = nn.Conv2d(quarter, 2, 3, padding=1)
        self.fine = FineHead(half, config.fine_width, region.unseen)
        zero_init(self.head, 1e-3)
        zero_init(self.flow_head, 1e-3)
        nn.init.zeros_(self.complexion.weight)
        nn.init.zeros_(self.complexion.bias)
        if region.unseen:
            self.interior = nn.Parameter(torch.tensor(INTERIOR).reshape(1, 3, 1, 1))
            self.teeth_stem = nn.Conv2d(4 * TEETH_CHANNELS, half, 3, padding=1, bias=False)
            self.corrections = nn.Conv2d(half, 4 * CORRECTIONS, 3, padding=1)
            self.inside = Interior()
            zero_init(self.teeth_stem)
            zero_init(self.corrections)

    def forward(self, window: Window) -> Painting:
        """Paint the window; untrained, it is the warp, with an unseen interior in the dark."""
        paint = self.paint(window)
        places = window.places() + paint.flow.permute(0, 2, 3, 1)
        warp = sample(window.image, places, window.scale)
        pixels = paint.mask * warp + (1 - paint.mask) * paint.colour
        return Painting(pixels, warp, paint.colour, paint.mask, paint.flow)

    def paint(self, window: Window) -> Paint:
        """Return what is laid over the warped window, without the warp itself."""
        scale = window.scale
        warped = sample(window.image, window.places(), scale)
        geometry = region_geometry(window.target, self.region, window.origin)
        skin = window.complexion(self.region)
        teeth = self._teeth(window, scale)
        half, fine = self._trunk(window, warped, geometry, skin, teeth)
        paint, corrections = self._heads(half, warped, geometry, teeth, scale)
        colour, mask = self._start(warped, geometry, scale)
        colour, mask = colour + paint[:, :3], torch.sigmoid(mask + paint[:, 3:])
        if teeth is not None and corrections is not None:
            opening = Opening.of(window.target, window.origin, scale)
            drawn = self.inside(opening, teeth, corrections, skin)
            colour, mask = _open(opening, drawn, colour, mask, window)
        if not self.region.unseen:
            colour, mask = move_lids(
                colour,
                mask,
                warped,
                window.image,
                window.source,
                window.target,
                window.shift,
                window.origin,
                scale,
            )
        return Paint(colour, mask, fine)

    def _teeth(self, window: Window, scale: int) -> Tensor | None:
        """Return the person's teeth `[B, 8, h, w]` where they lie in the window."""
        if not self.region.unseen or window.teeth is None:
            return None
        return place_teeth(window.teeth, window.target, window.origin, self.region, scale)

    def _start(self, warped: Tensor, geometry: Tensor, scale: int) -> tuple[Tensor, Tensor]:
        """Return the colour and the mask logit that the network's proposals are added to."""
        if not self.region.unseen:
            return warped, warped.new_ones(1)
        light = warped.mean(dim=(2, 3), keepdim=True)
        inside = upsample_flow(geometry[:, :1], GEOMETRY_STRIDE * scale)
        return light * self.interior, -INTERIOR_LOGIT * inside

    def _landmark_features(
        self, window: Window, geometry: Tensor, skin: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return the maps that drive the transformation, at a half, a quarter and an eighth."""
        flow = upsample_flow(window.flow, FLOW_STRIDE // GEOMETRY_STRIDE) / FLOW_UNIT
        shapes = [region_shape(points, self.region) for points in (window.source, window.target)]
        shape = self.shape(torch.cat(shapes, dim=1)) + self.complexion(skin)
        half = self.landmarks_half(torch.cat([geometry, flow], dim=1)) + shape[:, :, None, None]
        half = F.silu(half)
        quarter = F.silu(self.landmarks_quarter(half))
        return half, quarter, F.silu(self.landmarks_eighth(quarter))

    def _trunk(
        self, window: Window, warped: Tensor, geometry: Tensor, skin: Tensor, teeth: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Return features `[B, C, h / 2, w / 2]` of the crop and the finer flow `[B, 2, h, w]`."""
        coarse = F.avg_pool2d(warped, window.scale) if window.scale > 1 else warped
        seen = torch.cat([coarse * 2 - 1, self.textures(geometry)], dim=1)
        l_half, l_quarter, l_eighth = self._landmark_features(window, geometry, skin)
        stem = self.stem(F.pixel_unshuffle(seen, 2))
        if teeth is not None:
            known = F.avg_pool2d(teeth, window.scale) if window.scale > 1 else teeth
            stem = stem + self.teeth_stem(F.pixel_unshuffle(known, 2))
        half = self.half_in(stem, l_half)
        quarter = self.quarter_in(self.down_quarter(half), l_quarter)
        eighth = self.eighth(self.down_eighth(quarter), l_eighth)
        quarter = self.quarter_out(quarter + self.up_quarter(eighth), l_quarter)
        half = self.half_out(half + self.up_half(quarter), l_half)
        shift = torch.tanh(self.flow_head(F.silu(self.norm(quarter))).float())
        return F.silu(self.norm(half)), upsample_flow(REFINEMENT * shift, 4 * window.scale)

    def _heads(
        self, half: Tensor, warped: Tensor, geometry: Tensor, teeth: Tensor | None, scale: int
    ) -> tuple[Tensor, Tensor | None]:
        """Return colour change and mask logit `[B, 4, h, w]`, and the interior's corrections."""
        paint = self.head(half)
        if self.region.unseen:
            paint = torch.cat([paint, self.corrections(half)], dim=1)
        paint = F.pixel_shuffle(paint.contiguous(), 2).float()
        if scale > 1:
            paint = upsample_flow(paint, scale) + self.fine(half, warped, geometry, teeth)
        return paint[:, :4], paint[:, 4:] if self.region.unseen else None


def _open(
    opening: Opening, drawn: Tensor, colour: Tensor, mask: Tensor, window: Window
) -> tuple[Tensor, Tensor]:
    """Put the drawn inside between the lips, and keep paint away from the lips themselves.

    An opening that is much like the portrait's own shows the portrait's instead.
    """
    kept = kept_share(window.source, window.target)[:, None, None, None]
    inside = opening.inside
    outside = (-torch.minimum(opening.below_upper, opening.above_lower)).clamp_min(0)
    paint = (1 - mask) * torch.exp(-outside / RIM)
    mask = torch.lerp(1 - paint, kept, inside)
    return torch.lerp(colour, drawn, inside), mask


class FineHead(nn.Module):
    """Adds to an enlarged painting what only the finer pixels show; it starts at nothing."""

    FROM_TRUNK, OPENINGS = 16, 4

    def __init__(self, features: int, width: int, unseen: bool) -> None:
        super().__init__()
        teeth = 4 * TEETH_CHANNELS if unseen else 0
        self.enlarge = nn.Conv2d(features, 4 * self.FROM_TRUNK, 1)
        self.stem = nn.Conv2d(self.FROM_TRUNK + 12 + self.OPENINGS + teeth, width, 3, padding=1)
        self.middle = nn.Conv2d(width, width, 3, padding=1)
        self.norm = PixelNorm()
        self.out = nn.Conv2d(width, 4 * (4 + CORRECTIONS if unseen else 4), 3, padding=1)
        zero_init(self.out)

    def forward(
        self, half: Tensor, warped: Tensor, geometry: Tensor, teeth: Tensor | None
    ) -> Tensor:
        """Return `[B, 4 + CORRECTIONS, 2h, 2w]` (`[B, 4, 2h, 2w]` where nothing is unseen).

        Args:
            half: `[B, C, h / 2, w / 2]` the trunk's features.
            warped: `[B, 3, 2h, 2w]` the warped portrait, 0-1.
            geometry: `[B, GEOMETRY_CHANNELS, h / 2, w / 2]`.
            teeth: `[B, 8, 2h, 2w]`, or None.
        """
        openings = upsample_flow(geometry[:, : self.OPENINGS], GEOMETRY_STRIDE)
        trunk = F.pixel_shuffle(self.enlarge(half).contiguous(), 2)
        seen = [trunk, F.pixel_unshuffle(warped * 2 - 1, 2), openings]
        wanted = self.stem.in_channels - self.FROM_TRUNK - 12 - self.OPENINGS
        if teeth is not None:
            seen.append(F.pixel_unshuffle(teeth, 2))
        elif wanted:
            seen.append(openings.new_zeros(len(half), wanted, *openings.shape[-2:]))
        wide = F.silu(self.stem(torch.cat(seen, dim=1)))
        wide = wide + self.middle(F.silu(self.norm(wide)))
        return F.pixel_shuffle(self.out(F.silu(self.norm(wide))).contiguous(), 2).float()


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
