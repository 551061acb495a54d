"""The lips' own colour where an open portrait parts, instead of what shone through there."""

import torch
from torch import Tensor

from models.landmarks_to_video.face_regions import rows_of
from models.landmarks_to_video.mouth.bare_lips import BareLips
from models.landmarks_to_video.mouth.interior import Opening
from models.landmarks_to_video.mouth.lip_closing import COVERED
from models.landmarks_to_video.mouth.lip_shape import smile_gone
from models.landmarks_to_video.mouth.open_mouth import OpenMouth
from models.landmarks_to_video.painted_window import Paint, Window, lay_over, with_rows
from models.landmarks_to_video.ramps import rise

CLEAR_OF_TEETH = (0.9, 1.05)
"""Heights of the opening, relative to the portrait's: up to the first, the lower lip touches the
upper teeth; from the second on, it is clear of them.
"""
CORNER_REACH = 6.0
"""Pixels around an opening within which the shade of a smile's corners may be left."""
RIM, SPECKS = (0.0, 2.0), 6.0
"""Pixels above a lower lip's edge over which its rim fades out, and pixels below it within which
gaps between teeth may have left specks.
"""


def with_rim(
    paint: Paint,
    places: Tensor,
    window: Window,
    lips: BareLips,
    mouth: OpenMouth,
    opening: Opening,
) -> Paint:
    """Lay its own colour on the rim of a lower lip that is clear of the teeth above it.

    The rim is read at the `places` `[B, h, w, 2]` px at which the refined warp reads the lip.
    """
    wider = opening.lips.height / mouth.lips.height.clamp_min(0.1)
    clear = rise(wider, *CLEAR_OF_TEETH)[:, None, None, None]
    above = opening.above_lower
    share = clear * (1 - rise(above, *RIM)) * (above > -SPECKS)
    rows = rows_of(share[:, 0] > 0)
    rim = lips.read_rim(places[:, rows], window.scale)
    return _with_lips(paint, rim, share[:, :, rows], rows)


def with_bare_corners(
    paint: Paint,
    places: Tensor,
    window: Window,
    lips: BareLips,
    mouth: OpenMouth,
    opening: Opening,
) -> Paint:
    """Lay the lips' colour on the shade that a smile's corners leave beside relaxed lips.

    The lips are read at the `places` `[B, h, w, 2]` px at which the refined warp reads them.
    """
    # Lips that close are covered anyway.
    parted = opening.lips.height > COVERED * mouth.lips.height
    gone = smile_gone(window.target, window.source) * parted
    if not bool(gone.any()):
        return paint
    edge = torch.minimum(opening.below_upper, opening.above_lower)
    rows = rows_of(edge[:, 0] > -CORNER_REACH)
    share = gone[:, None, None, None] * (1 - opening.inside[:, :, rows])
    return _with_lips(paint, lips.read(places[:, rows], window.scale), share, rows)


def _with_lips(paint: Paint, lips: Tensor, share: Tensor, rows: slice) -> Paint:
    """Lay lips of some rows, `[B, 4, rows, w]` colour and opacity, over a share of the paint."""
    colour, seen = lay_over(
        paint.colour[:, :, rows], paint.mask[:, :, rows], lips[:, :3], share * lips[:, 3:]
    )
    return Paint(
        with_rows(paint.colour, colour, rows), with_rows(paint.mask, seen, rows), paint.flow
    )
