"""Painting one window of a face: what a warp cannot reveal, from landmarks and warped pixels."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.landmarks_to_video.eyes.lids import keep_eyeballs, move_lids
from models.landmarks_to_video.face_regions import (
    GEOMETRY_CHANNELS,
    GEOMETRY_STRIDE,
    Region,
    region_geometry,
    region_shape,
    rows_of,
)
from models.landmarks_to_video.layers import (
    Downsample,
    FeatureAdaptiveBlock,
    FeatureAdaptiveStack,
    PixelNorm,
    Stem,
    Upsample,
    grown,
    halved,
    zero_init,
)
from models.landmarks_to_video.mouth.dentition import drawn_teeth
from models.landmarks_to_video.mouth.interior import (
    LOWERED,
    SPARSE,
    THIN,
    Interior,
    Opening,
    rolled_lip,
)
from models.landmarks_to_video.mouth.lip_lines import UprightLips
from models.landmarks_to_video.mouth.lip_shape import lower_lip
from models.landmarks_to_video.mouth.open_mouth import OpenMouth
from models.landmarks_to_video.mouth.own_row import OwnRow
from models.landmarks_to_video.mouth.parting import Spots, part_mouth
from models.landmarks_to_video.mouth.retouch import Retouch, strip_around
from models.landmarks_to_video.mouth.teeth_placement import LONGEST, LONGEST_REPLACING, place_teeth
from models.landmarks_to_video.painted_window import (
    Paint,
    Painting,
    Window,
    drawn_pixels,
    lay_over,
    with_rows,
)
from models.landmarks_to_video.parted_lips import with_bare_corners, with_rim
from models.landmarks_to_video.ramps import rise
from models.landmarks_to_video.textures import TEXTURE_CHANNELS, AnchoredTextures
from models.landmarks_to_video.warping import (
    FLOW_STRIDE,
    FLOW_UNIT,
    blend_in,
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
SPARED, SPARED_FROM = 0.6, (0.5, 2.0)
"""Share of the retouch that lower teeth are spared, and heights above the lip, px, between which
this sets in: the retouch was learned from softer teeth, and would blur them into one band.
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

    The network sees the window at the crop's resolution; what it proposes is enlarged to 512 px.
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
        self.landmarks_half = nn.Conv2d(GEOMETRY_CHANNELS + 2, l_half, 3, padding=1)
        self.landmarks_quarter = Downsample(l_half, l_quarter)
        self.landmarks_eighth = Downsample(l_quarter, l_eighth)
        self.textures = AnchoredTextures(drawn_teeth if region.unseen else None)
        self.stem = Stem(3 + 2 * TEXTURE_CHANNELS, half)
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
        zero_init(self.head, 1e-3)
        zero_init(self.flow_head, 1e-3)
        if region.unseen:
            self.interior = nn.Parameter(torch.tensor(INTERIOR).reshape(1, 3, 1, 1))
            self.inside = Interior()
            self.retouch = Retouch(config.retouch_width)

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
        seen = warped if scale == 1 else halved(warped)
        proposed, flow = self._proposed(window, seen, geometry)
        colour, mask = self._start(warped, geometry, scale)
        colour, mask = colour + proposed[:, :3], torch.sigmoid(mask + proposed[:, 3:])
        row = _own_row(window) if self.region.unseen else None
        teeth = self._teeth(window, scale, row)
        if teeth is not None:
            paint = Paint(colour, mask, flow)
            if window.mouth is None:
                return self._with_inside(paint, window, teeth, lowered=not to_learn)
            return self._parted(paint, window, window.mouth, teeth, row)
        if not self.region.unseen:
            mask = keep_eyeballs(mask, geometry, window)
            colour, mask = move_lids(colour, mask, window)
        return Sketch(Paint(colour, mask, flow))

    def _with_inside(self, paint: Paint, window: Window, teeth: Tensor, *, lowered: bool) -> Sketch:
        """Draw the inside of a mouth that is closed in the portrait; no paint goes on its lips."""
        thickness = lower_lip(window.source)
        drawn_low = LOWERED * lowered * rise(thickness, *THIN)
        opening = Opening.of(
            window.target, window.origin, window.scale, drawn_low[:, None], window.source
        )
        rows = opening.rows()
        part = opening.within(rows)
        kept = part.no_sliver(teeth[:, 3:4, rows], window.scale)
        if bool((kept < 1).any()):
            teeth = torch.cat([teeth[:, :3], teeth[:, 3:4] * kept, teeth[:, 4:]], dim=1)
        drawn = self._inside(part, window, teeth[:, :, rows])
        mask = opening.keep_near(paint.mask)
        colour, seen = lay_over(paint.colour[:, :, rows], mask[:, :, rows], drawn, part.inside)
        filled = Paint(
            with_rows(paint.colour, colour, rows), with_rows(mask, seen, rows), paint.flow
        )
        if lowered and bool((thickness < SPARSE[1]).any()):
            lip, share = rolled_lip(opening, window.complexion(), thickness)
            share = share * (1 - opening.inside)
            colour, seen = lay_over(filled.colour, filled.mask, lip, share)
            filled = Paint(colour, seen, paint.flow)
        return Sketch(filled, Inside(opening, teeth, torch.ones_like(mask)))

    def _parted(
        self, paint: Paint, window: Window, mouth: OpenMouth, teeth: Tensor, row: OwnRow | None
    ) -> Sketch:
        """Part what an open portrait shows between its lips, with the drawn inside behind it."""
        opening = Opening.of(window.target, window.origin, window.scale, rest=window.source)
        rows = opening.rows()
        part = opening.within(rows)
        parting = part_mouth(mouth, Spots.of(part), window.scale)
        places, shift = window.places(), window.shift[:, None, None].to(paint.flow)
        on_lips, places = places + paint.flow.permute(0, 2, 3, 1), places[:, rows]
        cavity, share, *bare = (
            map_.reshape(part.inside.shape)
            for map_ in (parting.cavity, parting.share, *parting.bare)
        )
        behind = part.behind(teeth[:, :, rows], *bare)
        drawn = self._inside(
            part, window, behind, beside_own=row is not None, tongue=not mouth.deep
        )
        # Two places are seen in a pixel at the lips' edges, and at that of a row before another.
        at_lips = part.inside < 1
        share = torch.where(at_lips, part.inside.ceil(), share) * (1 - cavity)
        second = torch.where(at_lips.flatten(1)[..., None], parting.places, parting.behind)
        second = second.reshape(places.shape) - shift
        weight = share / (share + cavity).clamp_min(1e-3)
        blend_in(drawn, weight, window.image, second, window.scale)
        own = (parting.places.reshape(places.shape) - shift - places).permute(0, 3, 1, 2)
        moved = torch.where(at_lips, paint.flow[:, :, rows], own)
        mask = opening.keep_near(paint.mask)
        colour, seen = lay_over(
            paint.colour[:, :, rows], mask[:, :, rows], drawn, part.inside, 1 - cavity - share
        )
        parted = Paint(
            with_rows(paint.colour, colour, rows),
            with_rows(mask, seen, rows),
            with_rows(paint.flow, moved, rows),
        )
        if window.lips:
            if mouth.upper.shown and not mouth.lower.shown:
                parted = with_rim(parted, on_lips, window, window.lips, mouth, opening)
            parted = with_bare_corners(parted, on_lips, window, window.lips, mouth, opening)
        near = grown(with_rows(torch.zeros_like(mask), cavity, rows), NEAR * window.scale)
        return Sketch(parted, Inside(opening, teeth, near))

    def _inside(
        self, opening: Opening, window: Window, teeth: Tensor, **behind_own: bool
    ) -> Tensor:
        drawn: Tensor = self.inside(
            opening, teeth, window.complexion(), window.sidelight(), **behind_own
        )
        return drawn

    def _retouched(self, paint: Paint, inside: Inside, window: Window) -> Paint:
        """Return the retouched paint of a mouth, opaque as far as the retouch reaches."""
        reached = rows_of((inside.opening.reach * inside.drawn)[:, 0] > 0)
        rows = strip_around(reached, paint.mask.shape[2])
        part = inside.opening.within(rows)
        drawn, warp = drawn_pixels(paint, window, rows)
        share, teeth = inside.drawn[:, :, rows], inside.teeth[:, :, rows]
        change = RETOUCHED * share * self.retouch(drawn, part, teeth)
        if window.mouth is None or not window.mouth.lower.shown:
            change = change * (1 - SPARED * teeth[:, 7:] * rise(part.above_lower, *SPARED_FROM))
        wanted = drawn + change
        seen = paint.mask[:, :, rows] * (1 - share * part.reach)
        colour = (wanted - seen * warp) / (1 - seen).clamp_min(1e-3)
        return Paint(
            with_rows(paint.colour, colour, rows), with_rows(paint.mask, seen, rows), paint.flow
        )

    def _teeth(self, window: Window, scale: int, row: OwnRow | None) -> Tensor | None:
        """Return the teeth `[B, 8, h, w]` that are drawn where they lie in the window."""
        if not self.region.unseen or window.teeth is None:
            return None
        return place_teeth(
            window.teeth,
            window.target,
            window.origin,
            self.region,
            scale,
            window.source,
            longest=_longest(row),
            moved=None if row is None else row.moved,
            given=not self.training,
        )

    def _start(self, warped: Tensor, geometry: Tensor, scale: int) -> tuple[Tensor, Tensor]:
        """Return the colour and the mask logit that the network's proposals are added to."""
        if not self.region.unseen:
            return warped, warped.new_ones(1)
        light = warped.mean(dim=(2, 3), keepdim=True)
        inside = upsample_flow(geometry[:, :1], GEOMETRY_STRIDE * scale)
        return light * self.interior, -INTERIOR_LOGIT * inside

    def _landmark_features(self, window: Window, geometry: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the maps that drive the transformation, at a half, a quarter and an eighth."""
        flow = upsample_flow(window.flow, FLOW_STRIDE // GEOMETRY_STRIDE) / FLOW_UNIT
        shapes = [region_shape(points, self.region) for points in (window.source, window.target)]
        shape = self.shape(torch.cat(shapes, dim=1))[:, :, None, None]
        half = F.silu(self.landmarks_half(torch.cat([geometry, flow], dim=1)) + shape)
        quarter = F.silu(self.landmarks_quarter(half))
        return half, quarter, F.silu(self.landmarks_eighth(quarter))

    def _proposed(self, window: Window, warped: Tensor, geometry: Tensor) -> tuple[Tensor, Tensor]:
        """Return what to add to colour and mask logit, `[B, 4, h, w]`, and to the warp,
        `[B, 2, h, w]` px.

        The network sees the `warped` pixels at the crop's resolution.
        """
        seen = torch.cat([warped * 2 - 1, self.textures(geometry)], dim=1)
        l_half, l_quarter, l_eighth = self._landmark_features(window, geometry)
        half = self.half_in(self.stem(seen), l_half)
        quarter = self.quarter_in(self.down_quarter(half), l_quarter)
        eighth = self.eighth(self.down_eighth(quarter), l_eighth)
        quarter = self.quarter_out(quarter + self.up_quarter(eighth), l_quarter)
        half = self.half_out(half + self.up_half(quarter), l_half)
        shift = torch.tanh(self.flow_head(F.silu(self.norm(quarter))).float())
        paint = F.pixel_shuffle(self.head(F.silu(self.norm(half))).contiguous(), 2).float()
        flow = upsample_flow(REFINEMENT * shift, 4 * window.scale)
        return upsample_flow(paint, window.scale), flow


def _own_row(window: Window) -> OwnRow | None:
    """Return how borrowed upper teeth go with the portrait's own, if it shows any."""
    if window.mouth is None or not window.mouth.upper.shown:
        return None
    return OwnRow.of(window.mouth, UprightLips.of(window.target))


def _longest(row: OwnRow | None) -> float:
    """Return how much longer borrowed upper teeth may be drawn for a smile."""
    if row is None:
        return LONGEST
    return LONGEST_REPLACING if row.replaces else 1.0
