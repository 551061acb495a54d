"""Teeth that a portrait shows itself."""

import torch
from torch import Tensor

from models.landmarks_to_video.complexion import COMPLEXION
from models.landmarks_to_video.face_regions import MOUTH, signed_distance
from models.landmarks_to_video.own_teeth import own_teeth
from tests.unit.models.faces import face_landmarks

SKIN = torch.zeros(1, COMPLEXION)
SKIN[:, 0] = torch.tensor(0.6).log()
WHITE, LIPS, LINE = (0.80, 0.78, 0.74), (0.7, 0.35, 0.35), 0.6


def portrait(opening: float, inside: tuple[float, float, float]) -> tuple[Tensor, Tensor]:
    """Return `[1, 3, 256, 256]` and landmarks: lips around one colour, with a dark line in it."""
    landmarks = torch.from_numpy(face_landmarks(opening=opening))[None]
    places = torch.stack(
        torch.meshgrid(torch.arange(256.0), torch.arange(256.0), indexing="xy"), dim=-1
    )
    outline = landmarks[:, MOUTH.polygons[0]]
    between = signed_distance(places.reshape(1, -1, 2), outline).reshape(256, 256) > 0
    image = torch.tensor(LIPS)[:, None, None].expand(3, 256, 256).clone()
    image[:, between] = torch.tensor(inside)[:, None]
    line = int(landmarks[0, 62, 0])
    image[:, :, line][:, between[:, line]] *= LINE
    return image[None], landmarks


def test_a_smile_gives_its_teeth_and_their_colour() -> None:
    found = own_teeth(*portrait(12, WHITE), 1, SKIN)
    assert found is not None
    torch.testing.assert_close(found[1], torch.tensor([WHITE]), atol=0.02, rtol=0)


def test_the_row_goes_on_where_the_lips_hide_it() -> None:
    found = own_teeth(*portrait(12, WHITE), 1, SKIN)
    assert found is not None
    row = found[0][0, 3] > 0.5
    tall = row.sum(dim=0)
    middle, side = row.shape[1] // 2 + 4, int(row.any(dim=0).nonzero()[0]) + 10
    assert abs(int(tall[middle]) - int(tall[side])) < 8
    assert found[0][0, :3][:, row].min() > 0.5


def test_the_edge_is_higher_between_two_teeth() -> None:
    found = own_teeth(*portrait(12, WHITE), 1, SKIN)
    assert found is not None
    row = found[0][0, 3] > 0.5
    edge = row.to(torch.uint8).flip(0).argmax(dim=0)
    light = found[0][0, :3].mean(dim=(0, 1))
    darkest = int(torch.where(row.any(dim=0), light, torch.inf).argmin())
    assert edge[darkest] > edge[darkest - 6]
    assert edge[darkest] > edge[darkest + 6]


def test_a_dark_or_closed_mouth_gives_none() -> None:
    assert own_teeth(*portrait(12, (0.2, 0.1, 0.1)), 1, SKIN) is None
    assert own_teeth(*portrait(0, WHITE), 1, SKIN) is None


def test_a_thin_line_of_white_is_no_row_of_teeth() -> None:
    found = [own_teeth(*portrait(opening, WHITE), 1, SKIN) for opening in range(1, 13)]
    assert found[0] is None
    assert found[-1] is not None
