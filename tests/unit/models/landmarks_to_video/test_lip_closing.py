import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from models.face.retargeting import LOWER_INNER, UPPER_INNER
from models.landmarks_to_video.face_regions import MOUTH
from models.landmarks_to_video.lip_closing import cover_mouth, lips_close
from models.landmarks_to_video.lip_lines import lip_lines
from models.landmarks_to_video.warping import pixel_grid, sample
from tests.unit.models.typical_face import pixel_face

SKIN, TOOTH = 0.5, 1.0


def faces(*openings: float) -> Tensor:
    return torch.from_numpy(np.stack([pixel_face(opening=opening) for opening in openings]))


def smile() -> Tensor:
    """Return closed lips `[1, 79, 2]` whose corners rise by 6 px."""
    face = faces(0.0)
    face[:, [48, 54, 60, 64], 1] -= 6
    face[:, UPPER_INNER, 1] = face[:, LOWER_INNER, 1] = face[:, UPPER_INNER, 1].mean()
    return face


def teeth_between(lips: Tensor, scale: int = 1) -> Tensor:
    """Draw `[1, 3, S, S]`, S 256 times `scale`: white between the inner lips, grey around them."""
    lines = lip_lines(lips)
    outline = torch.cat([lines.upper[0], lines.lower[0].flip(0)]) * scale
    picture = Image.new("F", (256 * scale, 256 * scale), SKIN)
    ImageDraw.Draw(picture).polygon([(float(x), float(y)) for x, y in outline], fill=TOOTH)
    return torch.from_numpy(np.array(picture)).expand(1, 3, -1, -1)


def covered(image: Tensor, source: Tensor, target: Tensor, scale: int = 1) -> Tensor:
    """Return the window `[3, h, w]` of the mouth after its lips have closed over it."""
    cover = cover_mouth(image, source, target, torch.zeros(1, 2, 64, 64), scale)
    pixels = pixel_grid(scale * MOUTH.height, scale * MOUTH.width, 1 / scale)
    places = pixels + cover.origin[:, None, None] + cover.shift.permute(0, 2, 3, 1)
    moved = sample(image, places, scale)
    return (moved * (1 - cover.opacity) + cover.colour)[0]


def test_lips_that_touch_show_no_tooth_along_their_whole_line() -> None:
    source = faces(0.2)
    image = teeth_between(source)
    assert int((image[0, 0] > 0.9).sum()) > 200
    for target in (faces(0.0), smile()):
        assert float(covered(image, source, target).max()) < SKIN + 0.2


def test_teeth_between_half_closed_lips_are_covered_and_not_squeezed() -> None:
    source, target = faces(0.3), faces(0.1)
    image = teeth_between(source)
    lines = lip_lines(target)
    shown = covered(image, source, target)[0]
    x = int(lines.upper[0, 5, 0])
    column = int(x - window_left(target))
    height = float(lines.lower[0, 5, 1] - lines.upper[0, 5, 1])
    white = (shown[:, column] - SKIN).sum() / (TOOTH - SKIN)
    assert abs(float(white) - height) < 1.5


def window_left(target: Tensor) -> int:
    image = torch.zeros(1, 3, 256, 256)
    return int(cover_mouth(image, target, target, torch.zeros(1, 2, 64, 64)).origin[0, 0])


def test_a_finer_portrait_closes_alike() -> None:
    source, target = faces(0.2), faces(0.0)
    fine = covered(teeth_between(source, 2), source, target, scale=2)
    assert fine.shape[-2:] == (2 * MOUTH.height, 2 * MOUTH.width)
    assert float(fine.max()) < SKIN + 0.2


def test_only_lips_that_close_are_covered() -> None:
    source = faces(0.15)
    weights = lips_close(source, faces(0.0, 0.05, 0.15, 0.3))
    np.testing.assert_allclose(weights, [1, 1, 0, 0], atol=1e-3)


def test_a_closed_portrait_has_nothing_to_cover() -> None:
    assert float(lips_close(faces(0.0), faces(0.0)).max()) == 0


def test_lip_lines_pass_through_the_landmarks_from_corner_to_corner() -> None:
    face = faces(0.1)
    lines = lip_lines(face)
    torch.testing.assert_close(lines.upper[:, [0, 4, 5, 6, 10]], face[:, [60, 61, 62, 63, 64]])
    torch.testing.assert_close(lines.lower[:, [0, 4, 5, 6, 10]], face[:, [60, 67, 66, 65, 64]])
    assert bool((lines.upper[0].diff(dim=0)[:, 0] > 0).all())


def test_without_closing_the_lips_lie_where_they_lay() -> None:
    face = faces(0.15)
    cover = cover_mouth(teeth_between(face), face, face, torch.zeros(1, 2, 64, 64))
    moved = cover.shift.norm(dim=1)[cover.opacity[:, 0] == 0]
    assert float(moved.max()) < 3.5
