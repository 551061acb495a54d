"""Lips that close over an open portrait, each moved separately.

A spline through all landmarks cannot tear: where lips close, it squeezes whatever the portrait
shows between them into a band, which stays wherever two landmarks do not meet. So two splines move
the lips: one ignores the lower inner lip, the other the upper. What lies between
keeps its place on the skull and is covered, as teeth are. Beyond the corners, where there is but
one skin, the two splines pass into each other.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor
from torch.nn import functional as F

from models.landmarks_to_video.bare_lips import BareLips
from models.landmarks_to_video.edges import to_upright
from models.landmarks_to_video.face_regions import (
    MOUTH,
    face_frame,
    feather,
    rows_of,
    window_origin,
)
from models.landmarks_to_video.lip_lines import (
    LipLines,
    UprightLips,
    even_height,
    line_height,
    lip_lines,
    outer_lip_lines,
    smooth_height,
)
from models.landmarks_to_video.open_mouth import OpenMouth
from models.landmarks_to_video.parting import Spots, part_mouth
from models.landmarks_to_video.warping import (
    FLOW_STRIDE,
    blend_in,
    keep_slits,
    pixel_grid,
    sample,
    thin_plate_flow,
    upsample_flow,
)

LIP = (1.5, 1.3, 1.0, 0.7, 0.5, 0.5, 0.5, 0.7, 1.0, 1.3, 1.5)
"""Pixels by which the lips' edges are taken from within the lips, where less shines through.

More near the corners, whose shade reaches beyond the landmarks in a smile.
"""
BORDER = 2.5
"""Pixels of skin around the lips that keep their size. Lips that relax grow thicker, by a third if
they were drawn back from teeth; their border does not: a spline alone would smear it over the skin.
"""
CORNER = 1.0
"""Pixels outwards from where the corners are taken, for the same reason."""
SHUT, PARTED = 0.6, 1.6
"""Pixels: inner lips nearer than the first touch, those beyond the second are as far as asked."""
COVERED, UNCOVERED = 0.65, 1.0
"""Share of the portrait's opening up to which lips cover what it shows, and from which nothing."""
OPEN = (1.0, 2.5)
"""Mean height of the portrait's opening, px, below which there is nothing to cover, and above."""
SEAM = (1.0, 2.0)
"""Pixels from a lip's edge over which edges are blended and not only moved."""
NEAR = (5.0, 7.0)
"""Pixels from a lip's edge over which spots beside the portrait's opening are covered no more."""
SPREAD, WIDEST = 1.0, 6.0
"""Beyond a corner, one lip passes into the other over so many times the distance from it, above and
below, up to so many px; less than where spots end.
"""
STEEP, WIDENING = 1.2, 3.0
"""How many times as steeply as a wedge the lips' edges may leave a corner; px from the corner at
which the wedge, at first 1 px high to either side for each, is twice as high as that.
"""
FADE = (0.0, 3.0)
"""Pixels beyond a corner over which the seam ends."""
LINE, LINE_CORNER, CORNERS = 0.12, 0.32, (0.05, 0.35)
"""How much darker it is where lips touch, in the middle and at the corners, and the shares of the
mouth's width from a corner between which the one passes into the other.
"""
LINE_WIDTH, LINE_SPREAD, LINE_FADE = 0.7, 0.4, (0.0, 4.0)
"""Half width of that line, px; by how much it grows for each px beyond a corner; px beyond a corner
over which it ends.
"""
TOUCHING = (0.3, 2.0)
"""Pixels between lips up to which they are taken to touch, and from which not at all."""
NOTHING = 20.0
"""Exponent at which what fades away has gone; beyond, exponentials become slow to compute with."""
INSIDE = 0.7
"""Pixels inside the portrait's lips from which the mouth's inside is read."""
NODES = FLOW_STRIDE
"""Pixels between the nodes on which the lips' flows are computed, as those of the whole crop."""
NOSE_BASE = 33
_OTHERS = [*range(48), *range(68, 79)]


@dataclass(frozen=True)
class Cover:
    """How closing lips cover a window of the mouth.

    origin: `[B, 2]` its left and top, px of a 256 px crop.
    shift: `[B, 2, h, w]` from its pixels to their places in the portrait, px of a 256 px crop.
    colour: `[B, 3, h, w]` colour of the lips' edges, 0-1, multiplied by its opacity.
    opacity: `[B, 1, h, w]` 0-1.
    weight: `[B, 1, h, w]` 0-1; what is left over stays as it was painted.
    """

    origin: Tensor
    shift: Tensor
    colour: Tensor
    opacity: Tensor
    weight: Tensor


def lips_close(source: Tensor, target: Tensor) -> Tensor:
    """Return `[B]` in 0-1: how far the lips of `target` close over what those of `source` show."""
    shown, wanted = lip_lines(source).height, lip_lines(target).height
    ratio = wanted / shown.clamp_min(1e-3)
    return _step(shown, *OPEN) * (1 - _step(ratio, COVERED, UNCOVERED))


def cover_mouth(
    image: Tensor,
    lips: BareLips,
    source: Tensor,
    target: Tensor,
    scale: int = 1,
    mouth: OpenMouth | None = None,
) -> Cover:
    """Close the lips of `image` `[B, 3, S, S]` as `target` has them.

    Args:
        image: the portrait, 0-1.
        lips: the same without what shines through along the lips' edges.
        source: its landmarks `[B, 79, 2]`, px of a 256 px crop.
        target: the wanted landmarks, alike.
        scale: pixels of the image for each of a 256 px crop.
        mouth: what the portrait shows between its lips, if they are open.
    """
    origin = window_origin(target, MOUTH)
    upright = _Upright.of(target)
    shown, wanted = lip_lines(source), _without_kink(_meet(lip_lines(target), upright), upright)
    wanted = _pointed(wanted, upright)
    cells = _cells(origin, scale)
    flows = _lip_flows(source, target, shown, wanted, origin, scale)
    place = _Place.of(cells, wanted, upright)
    shift = torch.lerp(*flows, (place.below > place.above).to(cells)[:, None])
    colour, opacity = (shift.new_zeros(len(shift), count, *shift.shape[2:]) for count in (3, 1))
    # The seam, what lies between the lips, and spots beside them: elsewhere, each pixel belongs to
    # one of the lips.
    rows = rows_of(place.depth < NEAR[1])
    cells, place = cells[:, rows], place.rows(rows)
    weight = feather(MOUTH, scale=scale)[None].to(image)
    weight = weight * lips_close(source, target)[:, None, None, None]
    parted = rows_of(place.depth < place.soft(scale) / 2)
    if mouth is None:
        inner = _Inner.alone(parted, _on_the_skull(cells[:, parted], source, target, shown))
    else:
        inner = _Inner.of(parted, mouth, cells, place, UprightLips.of(target), scale)
        # What the portrait does not show there, the painter has drawn already.
        between = place.rows(parted).between(scale)
        weight[:, :, rows][:, :, parted] *= 1 - inner.cavity * between
    moved = [cells + flow[:, :, rows].permute(0, 2, 3, 1) for flow in flows]
    places, colour[:, :, rows], opacity[:, :, rows] = _seam(
        image, lips, moved, inner, place, upright, scale
    )
    shift[:, :, rows] = (places - cells).permute(0, 3, 1, 2)
    return Cover(origin, shift, colour, opacity, weight)


def _seam(
    image: Tensor,
    bare: BareLips,
    moved: Sequence[Tensor],
    inner: "_Inner",
    place: "_Place",
    upright: "_Upright",
    scale: int,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return places `[B, h, w, 2]`, colour and opacity `[B, 3 and 1, h, w]` of rows of the window.

    Args:
        image: the portrait.
        bare: its lips.
        moved: `[B, h, w, 2]` where upper and lower lip take their pixels from, px.
        inner: what lies between them.
        place: where the pixels lie.
        upright: the frame's axes.
        scale: pixels of the image for each of a 256 px crop.
    """
    down = upright.down[:, None]
    seam = 1 - _step(place.outside, *FADE)
    upper = moved[0] - ((0.5 - place.above).clamp_min(0) * seam)[..., None] * down
    lower = moved[1] + ((0.5 - place.below).clamp_min(0) * seam)[..., None] * down
    places = torch.where((place.below > place.above)[..., None], lower, upper)
    in_lips = (place.rows(inner.rows).depth > 0)[..., None]
    places[:, inner.rows] = torch.where(in_lips, places[:, inner.rows], inner.places)
    shares = place.shares(scale)
    passing = torch.lerp(upper, lower, shares[1].permute(0, 2, 3, 1))
    places = torch.where((place.outside > 0)[..., None], passing, places)
    above, below = (bare.read(part, scale) for part in (upper, lower))
    lips = shares[0] * above + shares[1] * below
    between = (1 - shares[0] - shares[1])[:, :, inner.rows].clamp_min(0)
    colour = lips[:, :3]
    colour[:, :, inner.rows] += between * inner.read(image, scale)
    edge = torch.minimum(place.above.abs(), place.below.abs())
    edge, near = (1 - _step(edge, *SEAM)) * seam, 1 - _step(place.deep, *NEAR)
    opacity = torch.maximum(edge[:, None], near[:, None] * lips[:, 3:])
    opacity[:, :, inner.rows] = opacity[:, :, inner.rows].maximum((inner.share > 0) * between)
    line = place.line()
    # Less light between lips is redder light; on a grey portrait, it is grey.
    hue = colour / colour.mean(dim=1, keepdim=True).clamp_min(0.02)
    light = 1 - line * (2 - hue).clamp_min(0)
    return places, light * opacity * colour, 1 - (1 - line) * (1 - opacity)


@dataclass(frozen=True)
class _Upright:
    """Axes `[B, 1, 2]` along and across the eyes' line."""

    across: Tensor
    down: Tensor

    @classmethod
    def of(cls, landmarks: Tensor) -> Self:
        _, across = face_frame(landmarks)
        return cls(across[:, None], torch.stack([-across[:, 1], across[:, 0]], dim=-1)[:, None])

    def enter(self, points: Tensor) -> Tensor:
        """Express `[B, M, 2]` in these axes."""
        return to_upright(points, self.across[:, 0])

    def leave(self, points: Tensor) -> Tensor:
        """Express `[B, M, 2]` in the picture's axes again."""
        # Turned the other way round.
        return to_upright(points, self.across[:, 0] * points.new_tensor([1, -1]))


def _cells(origin: Tensor, scale: int) -> Tensor:
    """Return the places `[B, h, w, 2]` of the window's pixels, px of a 256 px crop."""
    fine = pixel_grid(scale * MOUTH.height, scale * MOUTH.width, 1 / scale).to(origin.device)
    return fine + origin[:, None, None]


def _meet(lines: LipLines, upright: _Upright) -> LipLines:
    """Return the lines with what nearly touches touching, half-way between."""
    upper, lower = upright.enter(lines.upper), upright.enter(lines.lower)
    middle = (upper + lower) / 2
    apart = _step(lower[..., 1] - upper[..., 1], SHUT, PARTED)[..., None]
    return LipLines(*(upright.leave(torch.lerp(middle, line, apart)) for line in (upper, lower)))


def _without_kink(lines: LipLines, upright: _Upright) -> LipLines:
    """Return the lines along a curve without a kink, as far apart as before.

    The landmarks of a closed smile form a V: the upper lip's tubercle is their lowest point.
    """
    upper, lower = upright.enter(lines.upper), upright.enter(lines.lower)
    middle = (upper + lower) / 2
    rise = middle[..., 1] - even_height(middle)
    shift = torch.stack([torch.zeros_like(rise), rise], dim=-1)
    return LipLines(*(upright.leave(line - shift) for line in (upper, lower)))


def _pointed(lines: LipLines, upright: _Upright) -> LipLines:
    """Return the lines with what rises or falls too steeply from the corners drawn in.

    Where a lip's edge is upright, neighbours within the lip would lie at quite different depths.
    """
    pointed = []
    for line in (upright.enter(part) for part in (lines.upper, lines.lower)):
        x, y = line.unbind(dim=-1)
        x = x.maximum(x[:, :1]).minimum(x[:, -1:])
        for corner in ([0], [-1]):
            reach = STEEP * _wedge((x - x[:, corner]).abs())
            y = y.maximum(y[:, corner] - reach).minimum(y[:, corner] + reach)
        pointed.append(upright.leave(torch.stack([x, y], dim=-1)))
    return LipLines(*pointed)


def _wedge(inside: Tensor) -> Tensor:
    """Return how far a wedge reaches above and below a corner, px, so many px inside of it."""
    return inside * (1 + inside / WIDENING)


def _lip_flows(
    source: Tensor,
    target: Tensor,
    shown: LipLines,
    wanted: LipLines,
    origin: Tensor,
    scale: int,
) -> tuple[Tensor, Tensor]:
    """Return the flows `[B, 2, h, w]` that move the upper and the lower lip, px.

    They are the splines' alone: the motion network's flow corrects a single spline. At lips that
    close, it reads the skin around them.
    """
    apart = torch.cat([keep_slits(source, target)[:, _OTHERS], _outlines(target)], dim=1)
    others = torch.cat([source[:, _OTHERS], _outlines(source)], dim=1)
    upright = _Upright.of(source)
    within = source.new_tensor(LIP)[:, None] * upright.down
    outwards = CORNER * upright.across
    targets, sources = [], []
    for asked, seen in ((wanted.upper, shown.upper - within), (wanted.lower, shown.lower + within)):
        edge = [seen[:, :1] - outwards, seen[:, 1:-1], seen[:, -1:] + outwards]
        targets.append(torch.cat([apart, asked], dim=1))
        sources.append(torch.cat([others, *edge], dim=1))
    height, width = MOUTH.height // NODES, MOUTH.width // NODES
    nodes = pixel_grid(height, width, NODES).to(target).reshape(1, -1, 2) + origin[:, None]
    # Both lips at once: the batch is twice as long.
    flow = thin_plate_flow(torch.cat(targets), torch.cat(sources), nodes.repeat(2, 1, 1))
    grids = flow.transpose(1, 2).reshape(-1, 2, height, width)
    upper, lower = upsample_flow(grids, NODES * scale).chunk(2)
    return upper, lower


def _outlines(landmarks: Tensor) -> Tensor:
    """Return the lips' outer lines, and points on the skin around them, `[B, 34, 2]` px."""
    lines = outer_lip_lines(landmarks)
    rings = []
    for line, sign in ((lines.upper, 1), (lines.lower, -1)):
        along = F.normalize(line[:, 3:-1] - line[:, 1:-3], dim=-1)
        outwards = torch.stack([along[..., 1], -along[..., 0]], dim=-1)
        rings.append(line[:, 2:-2] + sign * BORDER * outwards)
    return torch.cat([lines.upper, lines.lower[:, 1:-1], *rings], dim=1)


def _on_the_skull(cells: Tensor, source: Tensor, target: Tensor, shown: LipLines) -> Tensor:
    """Return where in the portrait the mouth's inside lies, as far from the nose as in the frame.

    `[B, h, w, 2]` px; never on the portrait's lips.
    """
    before, after = _Upright.of(source), _Upright.of(target)
    growth = (face_frame(source)[0] / face_frame(target)[0])[:, None, None]
    flat = cells.flatten(1, 2) - target[:, [NOSE_BASE]]
    places = before.enter(before.leave(after.enter(flat) * growth) + source[:, [NOSE_BASE]])
    upper, lower = before.enter(shown.upper), before.enter(shown.lower)
    top, bottom = (line_height(line, places[..., 0]) for line in (upper, lower))
    middle = (top + bottom) / 2
    y = places[..., 1].maximum((top + INSIDE).minimum(middle))
    y = y.minimum((bottom - INSIDE).maximum(middle))
    return before.leave(torch.stack([places[..., 0], y], dim=-1)).reshape(cells.shape)


@dataclass(frozen=True)
class _Inner:
    """What lies between the lips, where the portrait shows it.

    rows: of the pixels; h of them.
    places: `[B, h, w, 2]` px; behind: the same for what else is seen, at the edge of a row.
    share, cavity: `[B, 1, h, w]` in 0-1, how far that is seen, and nothing of the portrait.
    """

    rows: slice
    places: Tensor
    behind: Tensor
    share: Tensor
    cavity: Tensor

    @classmethod
    def alone(cls, rows: slice, places: Tensor) -> Self:
        """Return one place for each pixel."""
        nowhere = torch.zeros_like(places[:, None, ..., 0])
        return cls(rows, places, places, nowhere, nowhere)

    @classmethod
    def of(
        cls,
        rows: slice,
        mouth: OpenMouth,
        cells: Tensor,
        place: "_Place",
        wanted: UprightLips,
        scale: int,
    ) -> Self:
        """Find the inside of an open mouth at some rows of the pixels `[B, h, w, 2]`."""
        cells, place = cells[:, rows], place.rows(rows)
        x, y = wanted.from_crop(cells.flatten(1, 2)).unbind(dim=-1)
        spots = Spots(wanted, x, y, -place.above.flatten(1), -place.below.flatten(1))
        parting = part_mouth(mouth, spots, scale)
        places, behind = (part.reshape(cells.shape) for part in (parting.places, parting.behind))
        shares = (
            part.reshape(cells.shape[:3])[:, None] for part in (parting.share, parting.cavity)
        )
        return cls(rows, places, behind, *shares)

    def read(self, image: Tensor, scale: int) -> Tensor:
        """Return the colours `[B, 3, h, w]`, 0-1."""
        colour = sample(image, self.places, scale)
        blend_in(colour, self.share, image, self.behind, scale)
        return colour


@dataclass(frozen=True)
class _Place:
    """Where pixels `[B, h, w]` lie beside the lips' edges, px.

    above, below: how deep in the upper lip, and in the lower one.
    outside: how far beyond the nearer corner of the mouth; 0 between the corners.
    corner: in 0-1 how near a corner.
    deep: how deep in either lip, if the opening were no higher at its corners than a wedge.
    """

    above: Tensor
    below: Tensor
    outside: Tensor
    corner: Tensor
    deep: Tensor

    @classmethod
    def of(cls, cells: Tensor, wanted: LipLines, upright: _Upright) -> Self:
        """Find the pixels `[B, h, w, 2]` beside the wanted lips."""
        x, y = upright.enter(cells.flatten(1, 2)).unbind(dim=-1)
        upper, lower = (upright.enter(line) for line in (wanted.upper, wanted.lower))
        left, right = upper[:, :1, 0], upper[:, -1:, 0]
        beyond = torch.maximum(left - x, x - right)
        corner = 1 - _step(-beyond / (right - left).clamp_min(1), *CORNERS)
        edges = smooth_height(upper, x) - y, y - smooth_height(lower, x)
        middle = (left + right) / 2
        height = torch.where(x < middle, upper[:, :1, 1], upper[:, -1:, 1])
        deep = (y - height).abs() - _wedge((-beyond).clamp_min(0))
        deep = deep.maximum(edges[0]).maximum(edges[1])
        parts = (*edges, beyond.clamp_min(0), corner, deep)
        return cls(*(part.reshape(cells.shape[:3]) for part in parts))

    @property
    def depth(self) -> Tensor:
        """How deep in either lip each pixel lies, px; negative between the lips."""
        return torch.maximum(self.above, self.below)

    def rows(self, rows: slice) -> Self:
        """Return some of the rows."""
        parts = self.above, self.below, self.outside, self.corner, self.deep
        return type(self)(*(part[:, rows] for part in parts))

    def line(self) -> Tensor:
        """Return `[B, 1, h, w]` in 0-1: how much darker it is where the lips touch."""
        touching = 1 - _step(-(self.above + self.below), *TOUCHING)
        width = LINE_WIDTH + LINE_SPREAD * self.outside
        across = ((self.above - self.below) / (2 * width)).square()
        depth = torch.lerp(
            torch.full_like(width, LINE), torch.full_like(width, LINE_CORNER), self.corner
        )
        depth = depth * touching * (1 - _step(self.outside, *LINE_FADE))
        return (depth * torch.exp(-across.clamp_max(NOTHING)))[:, None]

    def soft(self, scale: int) -> Tensor:
        """Return `[B, h, w]`: over how many px one lip passes into what lies beside it."""
        return 1 / scale + (2 * SPREAD * self.outside).clamp_max(2 * WIDEST)

    def shares(self, scale: int) -> tuple[Tensor, Tensor]:
        """Return how far `[B, 1, h, w]` in 0-1 each pixel is the upper lip's, and the lower one's.

        The edge is one pixel of the image soft, and softer with the distance from a corner.
        """
        soft = self.soft(scale)
        above, below = (
            (depth / soft + 0.5).clamp(0, 1)[:, None] for depth in (self.above, self.below)
        )
        return above, below

    def between(self, scale: int) -> Tensor:
        """Return how far `[B, 1, h, w]` in 0-1 each pixel is neither lip's."""
        above, below = self.shares(scale)
        return (1 - above - below).clamp_min(0)


def _step(value: Tensor, low: float, high: float) -> Tensor:
    """Return 0 below `low`, 1 above `high`, and a curve level at both ends between them."""
    part = ((value - low) / (high - low)).clamp(0, 1)
    return part * part * (3 - 2 * part)
