import numpy as np
import pytest
import torch
from torch import Tensor

from models.landmarks_to_video.mouth.bare_lips import BareLips, bare_lips
from tests.unit.models.typical_face import pixel_face

LIP, TOOTH, SHADE = 0.5, 1.0, 0.1
FACE = torch.from_numpy(pixel_face(opening=0.2))[None]


def portrait(scale: int = 1) -> Tensor:
    return torch.full((1, 3, 256 * scale, 256 * scale), LIP)


def spot(image: Tensor, place: Tensor, colour: float, scale: int = 1) -> None:
    """Draw a spot of 2 x 2 px."""
    x, y = (place * scale).round().int().tolist()
    image[..., y - scale : y + scale, x - scale : x + scale] = colour


def seen(lips: BareLips, place: Tensor, scale: int = 1) -> list[float]:
    """Return the brightness there and how far it is not the portrait's."""
    found: Tensor = lips.read(place.reshape(1, 1, 1, 2), scale)[0, :, 0, 0]
    return [float(found[0]), float(found[3])]


@pytest.mark.parametrize("scale", [1, 2])
@pytest.mark.parametrize("corner", [60, 64])
def test_shade_beyond_a_corner_gets_the_colour_around(corner: int, scale: int) -> None:
    image, outwards = portrait(scale), 1 if corner == 64 else -1
    place = FACE[0, corner] + torch.tensor([2.5 * outwards, -0.5])
    spot(image, place, SHADE, scale)
    brightness, covered = seen(bare_lips(image, FACE, scale), place - 0.5, scale)
    assert brightness > 0.9 * LIP
    assert covered > 0.9


def test_the_opening_gets_the_colour_of_the_lips() -> None:
    image = portrait()
    middle = (FACE[0, 62] + FACE[0, 66]) / 2
    spot(image, middle, TOOTH)
    assert seen(bare_lips(image, FACE), middle) == pytest.approx([LIP, 1.0], abs=0.02)


def test_a_tooth_below_the_lip_line_is_covered_and_a_dark_line_is_not() -> None:
    below = FACE[0, 66] + torch.tensor([0.0, 2.2])
    for colour, kept in ((TOOTH, False), (SHADE, True)):
        image = portrait()
        spot(image, below, colour)
        brightness, _ = seen(bare_lips(image, FACE), below.round() - torch.tensor([0.5, 1.0]))
        assert (abs(brightness - LIP) > 0.3) == kept


def test_skin_far_from_the_opening_stays() -> None:
    noise = torch.from_numpy(np.random.default_rng(0).random((1, 3, 256, 256), np.float32))
    lips = bare_lips(noise, FACE)
    x, y = lips.origin[0].tolist()
    height, width = lips.picture.shape[2:]
    own = noise[..., y : y + height, x : x + width]
    ends = [int(FACE[0, corner, 0]) - x for corner in (60, 64)]
    for part in (slice(0, ends[0] - 8), slice(ends[1] + 9, width)):
        assert torch.equal(lips.picture[:, :3, :, part], own[..., part])
        assert float(lips.picture[:, 3, :, part].max()) == 0


def test_a_mouth_at_the_rim_of_the_crop_is_read_within_it() -> None:
    for move in (-100.0, 100.0):
        lips = bare_lips(portrait(), FACE + torch.tensor([move, 0.0]))
        torch.testing.assert_close(lips.picture[:, :3], torch.full_like(lips.picture[:, :3], LIP))


@pytest.mark.parametrize("scale", [1, 2])
def test_a_moustache_over_the_lip_is_kept_and_teeth_are_not(scale: int) -> None:
    image = portrait(scale)
    tooth = FACE[0, 66] + torch.tensor([0.0, 2.2])
    spot(image, tooth, TOOTH, scale)
    end = int(FACE[0, 62, 1] * scale)
    image[..., :end, ::2], image[..., :end, 1::2] = TOOTH, SHADE
    lips = bare_lips(image, FACE, scale)
    x, y = (lips.origin[0] * scale).tolist()
    above = slice(end - 3 * scale - y, end - scale - y)
    middle = slice(int(FACE[0, 61, 0] * scale) - x, int(FACE[0, 63, 0] * scale) - x)
    own = image[..., above.start + y : above.stop + y, middle.start + x : middle.stop + x]
    torch.testing.assert_close(lips.picture[:, :3, above, middle], own)
    brightness, _ = seen(lips, tooth.round() - torch.tensor([0.5, 1.0]), scale)
    assert brightness < 0.7 * TOOTH


@pytest.mark.parametrize("scale", [1, 2])
def test_the_rim_covers_a_dark_gap_between_teeth_on_the_lower_lip(scale: int) -> None:
    image = portrait(scale)
    gap = FACE[0, 66] + torch.tensor([0.0, 1.5])
    spot(image, gap, SHADE, scale)
    lips = bare_lips(image, FACE, scale)
    place = (gap.round() - 0.5).reshape(1, 1, 1, 2)
    brightness, _, _, covered = lips.read_rim(place, scale)[0, :, 0, 0].tolist()
    assert brightness > 0.95 * LIP
    assert covered > 0.9
    assert seen(lips, gap.round() - 0.5, scale)[1] < 0.1


def test_of_a_lip_on_teeth_gaps_between_their_tips_go_too() -> None:
    image, gap = portrait(), FACE[0, 66] + torch.tensor([0.0, 1.5])
    spot(image, gap, SHADE)
    for on_teeth in (False, True):
        lips = bare_lips(image, FACE, on_teeth=on_teeth)
        assert (seen(lips, gap.round() - 0.5)[0] > 0.8 * LIP) == on_teeth
