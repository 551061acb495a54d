"""Painting one window of a face: what a warp cannot reveal, from landmarks and warped pixels."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.landmarks_to_video.complexion import COMPLEXION
from models.landmarks_to_video.dentition import TEETH_CHANNELS, drawn_teeth
from models.landmarks_to_video.face_regions import (
    GEOMETRY_CHANNELS,
    GEOMETRY_STRIDE,
    Region,
    region_geometry,
    region_shape,
    rows_of,
)
from models.landmarks_to_video.fine_head import FineHead
from models.landmarks_to_video.layers import (
    Downsample,
    FeatureAdaptiveBlock,
    FeatureAdaptiveStack,
    PixelNorm,
    Upsample,
    zero_init,
)
from models.landmarks_to_video.lids import move_lids
from models.landmarks_to_video.mouth_interior import (
    CORRECTIONS,
    LOWERED,
    Interior,
    Opening,
)
from models.landmarks_to_video.painted_window import (
    Paint,
    Painting,
    Window,
    drawn_pixels,
    lay_over,
)
from models.landmarks_to_video.parting import OpenMouth, part_mouth
from models.landmarks_to_video.retouch import Retouch, strip_around
from models.landmarks_to_video.teeth_placement import place_teeth, smile
from models.landmarks_to_video.textures import TEXTURE_CHANNELS, AnchoredTextures
from models.landmarks_to_video.warping import (
    FLOW_STRIDE,
    FLOW_UNIT,
    sample,
    upsample_flow,
)

REFINEMENT = 4.0
"""Maximum shift in px that a painter adds to the warp."""
INTERIOR = (0.30, 0.20, 0.20)
"""Initial colour of an unseen interior, relative to the window's mean."""
INTERIOR_LOGIT = 4.0
"""How surely, untrained, an unseen interior is painted and its surroundings are not."""
RETOUCHED = 0.7
"""Share of the retouch that a drawn inside shows: with all of it, a tracker finds openings too
small.
"""
NEAR = 2
"""Pixels around a drawn cavity over which the retouch blends it with the portrait's own inside."""


@dataclass(frozen=True)
class PainterConfig:
    """Widths of a painter at a half, a quarter and an eighth of the resolution."""

    widths: tuple[int, int, int] = (40, 80, 128)
    landmark_widths: tuple[int, int, int] = (32, 48, 64)
    blocks: tuple[int, int, int] = (1, 1, 2)
    shape_width: int = 128
    fine_width: int = 24
    retouch_width: int = 24


@dataclass(frozen=True)
class Inside:
    """What lies between the lips: the opening, the teeth `[B, 8, h, w]` in the window, and where it
    is drawn and not the portrait's own, `[B, 1, h, w]` in 0-1.
    """

    opening: Opening
    teeth: Tensor
    drawn: Tensor


@dataclass(frozen=True)
class Sketch:
    """A painting before the retouch, and the inside of the mouth where one is drawn."""

    paint: Paint
    inside: Inside | None = None


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
            self.retouch = Retouch(config.retouch_width)
            zero_init(self.teeth_stem)
            zero_init(self.corrections)

    def forward(self, window: Window) -> Painting:
        """Paint the window without the mouth's retouch, which is trained separately.

        Untrained, it is the warp, with an unseen interior in the dark.
        """
        paint = self.sketch(window).paint
        pixels, warp = drawn_pixels(paint, window, slice(None))
        return Painting(pixels, warp, paint.colour, paint.mask, paint.flow)

    def paint(self, window: Window) -> Paint:
        """Return what is laid over the warped window, without the warp itself."""
        sketch = self.sketch(window)
        if sketch.inside is None:
            return sketch.paint
        return self._retouched(sketch.paint, sketch.inside, window)

    def sketch(self, window: Window, *, to_learn: bool = False) -> Sketch:
        """Return the paint before the mouth's retouch.

        For the retouch `to_learn` from, the lips are where the landmarks have them.
        """
        scale = window.scale
        warped = sample(window.image, window.places(), scale)
        geometry = region_geometry(window.target, self.region, window.origin)
        skin = window.complexion(self.region)
        teeth = self._teeth(window, scale)
        seen = _unshuffled(warped, scale)
        known = None if teeth is None else _unshuffled(teeth, scale)
        half, fine = self._trunk(window, seen, geometry, skin, known)
        proposed, corrections = self._heads(half, seen, geometry, known, scale)
        colour, mask = self._start(warped, geometry, scale)
        colour, mask = colour + proposed[:, :3], torch.sigmoid(mask + proposed[:, 3:])
        if teeth is not None and corrections is not None:
            paint = Paint(colour, mask, fine)
            within = teeth, corrections, skin
            if window.mouth is None:
                return self._with_inside(paint, window, *within, lowered=not to_learn)
            return self._parted(paint, window, window.mouth, *within)
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
        return Sketch(Paint(colour, mask, fine))

    def _with_inside(
        self,
        paint: Paint,
        window: Window,
        teeth: Tensor,
        corrections: Tensor,
        skin: Tensor,
        *,
        lowered: bool,
    ) -> Sketch:
        """Draw the inside of a mouth that is closed in the portrait; no paint goes on its lips."""
        opening = Opening.of(window.target, window.origin, window.scale, LOWERED * lowered)
        rows = opening.rows()
        part = opening.within(rows)
        bared = smile(window.target)
        drawn = self.inside(part, teeth[:, :, rows], corrections[:, :, rows], skin, bared)
        mask = opening.keep_near(paint.mask)
        colour, seen = lay_over(paint.colour[:, :, rows], mask[:, :, rows], drawn, part.inside)
        filled = Paint(
            _with_rows(paint.colour, colour, rows), _with_rows(mask, seen, rows), paint.flow
        )
        return Sketch(filled, Inside(opening, teeth, torch.ones_like(mask)))

    def _parted(
        self,
        paint: Paint,
        window: Window,
        mouth: OpenMouth,
        teeth: Tensor,
        corrections: Tensor,
        skin: Tensor,
    ) -> Sketch:
        """Part what an open portrait shows between its lips, with the drawn inside behind it."""
        opening = Opening.of(window.target, window.origin, window.scale)
        rows = opening.rows()
        part = opening.within(rows)
        parting = part_mouth(mouth, part, window.source, window.target, window.scale)
        places = window.places()[:, rows] + window.shift[:, None, None].to(paint.flow)
        own = (parting.places - places).permute(0, 3, 1, 2)
        moved = torch.lerp(paint.flow[:, :, rows], own, part.inside * parting.wider)
        bared = smile(window.target)
        drawn = self.inside(part, teeth[:, :, rows], corrections[:, :, rows], skin, bared)
        cavity = parting.wider * parting.cavity
        mask = opening.keep_near(paint.mask)
        colour, seen = lay_over(
            paint.colour[:, :, rows], mask[:, :, rows], drawn, part.inside, 1 - cavity
        )
        parted = Paint(
            _with_rows(paint.colour, colour, rows),
            _with_rows(mask, seen, rows),
            _with_rows(paint.flow, moved, rows),
        )
        near = _spread(_with_rows(torch.zeros_like(mask), cavity, rows), NEAR * window.scale)
        return Sketch(parted, Inside(opening, teeth, near))

    def _retouched(self, paint: Paint, inside: Inside, window: Window) -> Paint:
        """Return the retouched paint of a mouth, opaque as far as the retouch reaches."""
        reached = rows_of((inside.opening.reach * inside.drawn)[:, 0] > 0)
        rows = strip_around(reached, paint.mask.shape[2])
        part = inside.opening.within(rows)
        drawn, warp = drawn_pixels(paint, window, rows)
        share = inside.drawn[:, :, rows]
        wanted = drawn + RETOUCHED * share * self.retouch(drawn, part, inside.teeth[:, :, rows])
        seen = paint.mask[:, :, rows] * (1 - share * part.reach)
        colour = (wanted - seen * warp) / (1 - seen).clamp_min(1e-3)
        return Paint(
            _with_rows(paint.colour, colour, rows), _with_rows(paint.mask, seen, rows), paint.flow
        )

    def _teeth(self, window: Window, scale: int) -> Tensor | None:
        """Return the teeth `[B, 8, h, w]` that are drawn where they lie in the window."""
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
        """Return features `[B, C, h / 2, w / 2]` of the crop and the finer flow `[B, 2, h, w]`.

        Pixels come unshuffled to the crop's resolution.
        """
        coarse = _averaged(warped, window.scale)
        seen = torch.cat([coarse * 2 - 1, self.textures(geometry)], dim=1)
        l_half, l_quarter, l_eighth = self._landmark_features(window, geometry, skin)
        stem = self.stem(F.pixel_unshuffle(seen, 2))
        if teeth is not None:
            known = _averaged(teeth, window.scale)
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


def _spread(mask: Tensor, reach: int) -> Tensor:
    """Return a mask `[B, 1, h, w]` grown by `reach` pixels, with edges twice as soft."""
    size = 2 * reach + 1
    return F.avg_pool2d(F.max_pool2d(mask, size, 1, reach), size, 1, reach)


def _with_rows(window: Tensor, part: Tensor, rows: slice) -> Tensor:
    """Return a window `[B, C, h, w]` with other pixels in some rows."""
    return window.slice_scatter(part, 2, rows.start, rows.stop)


def _unshuffled(pixels: Tensor, scale: int) -> Tensor:
    """Return pixels at the crop's resolution, the finer ones as channels."""
    return pixels if scale == 1 else F.pixel_unshuffle(pixels, scale)


def _averaged(unshuffled: Tensor, scale: int) -> Tensor:
    """Return `[B, C, h, w]`: the means of `[B, C * scale^2, h, w]`, pixels `scale` times finer."""
    if scale == 1:
        return unshuffled
    batch, channels, height, width = unshuffled.shape
    finer = scale * scale
    return unshuffled.reshape(batch, channels // finer, finer, height, width).mean(dim=2)
