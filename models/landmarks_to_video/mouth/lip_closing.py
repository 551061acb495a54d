"""Lips that close over an open portrait, each moved separately.

What lies between them keeps its place on the skull and is covered, as teeth are. Beyond the
corners, where there is but one skin, one lip's motion passes into the other's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from models.landmarks_to_video.face_regions import MOUTH, feather, rows_of, window_origin
from models.landmarks_to_video.mouth.bare_lips import BareLips
from models.landmarks_to_video.mouth.closing_lines import closing_lines
from models.landmarks_to_video.mouth.lip_flows import lip_flows
from models.landmarks_to_video.mouth.lip_lines import (
    NOSE_BASE,
    LipLines,
    UprightLips,
    line_height,
    lip_lines,
)
from models.landmarks_to_video.mouth.lip_places import LipPlaces
from models.landmarks_to_video.mouth.open_mouth import OpenMouth
from models.landmarks_to_video.mouth.parting import Spots, part_mouth
from models.landmarks_to_video.ramps import smooth_step
from models.landmarks_to_video.upright import Axes, face_frame
from models.landmarks_to_video.warping import blend_in, pixel_grid, sample

COVERED, UNCOVERED = 0.65, 1.0
"""Share of the portrait's opening up to which lips cover what it shows, and from which nothing."""
OPEN = (1.0, 2.5)
"""Mean height of the portrait's opening, px, below which there is nothing to cover, and above."""
SEAM = (1.0, 2.0)
"""Pixels from a lip's edge over which edges are blended and not only moved."""
NEAR = (6.5, 9.0)
"""Pixels from a lip's edge over which spots beside the portrait's opening are covered no more, and
streaks no longer evened.
"""
FADE = (0.0, 3.0)
"""Pixels beyond a corner over which the seam ends."""
INSIDE = 0.7
"""Pixels inside the portrait's lips from which the mouth's inside is read."""


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
    return smooth_step(shown, *OPEN) * (1 - smooth_step(ratio, COVERED, UNCOVERED))


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
    axes = Axes.of(target)
    shown, wanted = lip_lines(source), closing_lines(target, axes)
    cells = _cells(origin, scale)
    flows, stretched = lip_flows(source, target, shown, wanted, origin, scale)
    place = LipPlaces.of(cells, wanted, axes)
    lower = (place.below > place.above).to(cells)[:, None]
    shift = torch.lerp(*flows, lower)
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
        image, lips, moved, torch.lerp(*stretched, lower)[:, :, rows], inner, place, axes, scale
    )
    shift[:, :, rows] = (places - cells).permute(0, 3, 1, 2)
    return Cover(origin, shift, colour, opacity, weight)


def _seam(
    image: Tensor,
    bare: BareLips,
    moved: Sequence[Tensor],
    stretched: Tensor,
    inner: "_Inner",
    place: LipPlaces,
    axes: Axes,
    scale: int,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return places `[B, h, w, 2]`, colour and opacity `[B, 3 and 1, h, w]` of rows of the window.

    Args:
        image: the portrait.
        bare: its lips.
        moved: `[B, h, w, 2]` where upper and lower lip take their pixels from, px.
        stretched: `[B, 1, h, w]` in 0-1, how far the lip is stretched upright.
        inner: what lies between them.
        place: where the pixels lie.
        axes: the frame's.
        scale: pixels of the image for each of a 256 px crop.
    """
    down = axes.down[:, None]
    seam = 1 - smooth_step(place.outside, *FADE)
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
    edge, near = (1 - smooth_step(edge, *SEAM)) * seam, 1 - smooth_step(place.deep, *NEAR)
    opacity = torch.maximum(edge[:, None], near[:, None] * lips[:, 3:])
    opacity[:, :, inner.rows] = opacity[:, :, inner.rows].maximum((inner.share > 0) * between)
    if bool(stretched.any()):
        on_lips = (shares[0] + shares[1]).clamp_max(1)
        even = near[:, None] * on_lips * stretched * (1 - opacity)
        share = even / (even + opacity).clamp_min(1e-3)
        colour = torch.lerp(colour, bare.read_even(places, scale), share)
        opacity = opacity + even
    line = place.line()
    # Less light between lips is redder light; on a grey portrait, it is grey.
    hue = colour / colour.mean(dim=1, keepdim=True).clamp_min(0.02)
    light = 1 - line * (2 - hue).clamp_min(0)
    return places, light * opacity * colour, 1 - (1 - line) * (1 - opacity)


def _cells(origin: Tensor, scale: int) -> Tensor:
    """Return the places `[B, h, w, 2]` of the window's pixels, px of a 256 px crop."""
    fine = pixel_grid(scale * MOUTH.height, scale * MOUTH.width, 1 / scale).to(origin.device)
    return fine + origin[:, None, None]


def _on_the_skull(cells: Tensor, source: Tensor, target: Tensor, shown: LipLines) -> Tensor:
    """Return where in the portrait the mouth's inside lies, as far from the nose as in the frame.

    `[B, h, w, 2]` px; never on the portrait's lips.
    """
    before, after = Axes.of(source), Axes.of(target)
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
        place: LipPlaces,
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
