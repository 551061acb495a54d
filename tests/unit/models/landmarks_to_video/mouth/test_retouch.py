"""The retouch of a drawn mouth."""

import torch
from torch import Tensor

from models.landmarks_to_video.face_regions import MOUTH, rows_of, window_origin
from models.landmarks_to_video.mouth.interior import Opening
from models.landmarks_to_video.mouth.retouch import Retouch, strip_around
from tests.unit.models.faces import face_landmarks


def opening_of(*heights: float) -> Opening:
    faces = torch.stack([torch.from_numpy(face_landmarks(opening=h)) for h in heights])
    return Opening.of(faces, window_origin(faces, MOUTH), 2)


def drawn(count: int) -> tuple[Tensor, Tensor]:
    size = (2 * MOUTH.height, 2 * MOUTH.width)
    return torch.rand(count, 3, *size), torch.rand(count, 8, *size)


def network() -> Retouch:
    torch.manual_seed(0)
    retouch = Retouch(8)
    torch.nn.init.normal_(retouch.out.weight, std=0.1)
    return retouch.eval()


def test_an_untrained_one_changes_nothing() -> None:
    pixels, teeth = drawn(1)
    assert not Retouch(8)(pixels, opening_of(12), teeth).any()


def test_only_the_opening_and_its_rim_change() -> None:
    pixels, teeth = drawn(2)
    change = network()(pixels, opening_of(0, 12), teeth)
    assert not change[0].any()
    assert change[1].any()
    assert not change[1, :, :8].any()


def test_what_lies_outside_a_strip_does_not_change_it() -> None:
    pixels, teeth = drawn(1)
    opening = opening_of(12)
    everywhere = network()(pixels, opening, teeth)
    rows = strip_around(rows_of(opening.reach[:, 0] > 0), pixels.shape[2])
    strip = network()(pixels[:, :, rows], opening.within(rows), teeth[:, :, rows])
    assert rows.start > 0
    torch.testing.assert_close(strip, everywhere[:, :, rows])
