"""A window to paint, and what a painter makes of it."""

from dataclasses import dataclass

import torch
from torch import Tensor

from models.landmarks_to_video.mouth.bare_lips import BareLips
from models.landmarks_to_video.mouth.complexion import complexion, sidelight
from models.landmarks_to_video.mouth.open_mouth import OpenMouth
from models.landmarks_to_video.warping import (
    FLOW_STRIDE,
    flow_coordinates,
    sample,
    upsample_flow,
)


@dataclass(frozen=True)
class Window:
    """One window to paint.

    All places are pixels of a 256 px crop; the picture may have `scale` times as many.

    image: `[B, 3, scale * H, scale * W]` the portrait or a cut-out of it, 0-1.
    shift: `[B, 2]` left and top of that cut-out in the portrait, px.
    flow: `[B, 2, h / 4, w / 4]` thin-plate flow over the window, px.
    source, target: `[B, 79, 2]` the portrait's and the wanted landmarks, px.
    origin: `[B, 2]` left and top of the window in the wanted frame, px.
    teeth: `[B, 2, 4, 128, 256]` the person's upper and lower teeth (see `dentition`), or None.
    scale: 1 or 2.
    skin: `[B, COMPLEXION]` around the mouth, if it is known already.
    slant: `[B]` the light's slope around the mouth (see `complexion.sidelight`), if it is known
        already.
    mouth: what the portrait shows between its lips, if they are open.
    lips: the portrait's without what shines through, if it is animated.
    lift: `[B, 2, h / 4, w / 4]` px, what the warp beneath closing lids has beyond `flow`, if it is
        known already.
    frame: `[B, 1, h / 4, w / 4]` px to the frame of glasses that the portrait shows, or None.
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
    slant: Tensor | None = None
    mouth: OpenMouth | None = None
    lips: BareLips | None = None
    lift: Tensor | None = None
    frame: Tensor | None = None

    def complexion(self) -> Tensor:
        """Return the colours `[B, COMPLEXION]` of the portrait around its mouth."""
        if self.skin is not None:
            return self.skin
        return complexion(self.image, self.source, self.shift, self.scale)

    def sidelight(self) -> Tensor:
        """Return `[B]`: how the light around the portrait's mouth grows to the right."""
        if self.slant is not None:
            return self.slant
        return sidelight(self.image, self.source, self.shift, self.scale)

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


def lay_over(
    colour: Tensor, mask: Tensor, new: Tensor, share: Tensor, kept: Tensor | float = 0.0
) -> tuple[Tensor, Tensor]:
    """Return the colour and mask of a painting over which something is laid.

    Where a painter shows the warp alone, its colour is arbitrary. Each colour therefore counts as
    far as it is seen ("over" of Porter and Duff, Compositing Digital Images, SIGGRAPH 1984).

    Args:
        colour, mask: of the painting, `[B, 3, h, w]` and `[B, 1, h, w]`.
        new: `[B, 3, h, w]` the colour of what is laid over it.
        share: `[B, 1, h, w]` in 0-1, as far as that covers the painting.
        kept: the share of the warp that is seen through it.
    """
    seen = mask + share * (kept - mask)
    weight = share * (1 - kept) / (1 - seen).clamp_min(1e-3)
    return torch.lerp(colour, new, weight), seen


def drawn_pixels(paint: Paint, window: Window, rows: slice) -> tuple[Tensor, Tensor]:
    """Return some rows of a painted window and of the warp beneath, each `[B, 3, rows, w]`, 0-1."""
    places = (window.places() + paint.flow.permute(0, 2, 3, 1))[:, rows]
    warp = sample(window.image, places, window.scale)
    mask = paint.mask[:, :, rows]
    return mask * warp + (1 - mask) * paint.colour[:, :, rows], warp


def with_rows(window: Tensor, part: Tensor, rows: slice) -> Tensor:
    """Return a window `[B, C, h, w]` with other pixels in some rows."""
    return window.slice_scatter(part, 2, rows.start, rows.stop)
