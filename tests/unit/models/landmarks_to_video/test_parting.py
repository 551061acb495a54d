"""Portraits that show their teeth and open wider."""

import pytest
import torch
from torch import Tensor

from models.landmarks_to_video.complexion import COMPLEXION
from models.landmarks_to_video.face_regions import MOUTH, signed_distance, window_origin
from models.landmarks_to_video.lip_lines import UprightLips
from models.landmarks_to_video.mouth_interior import Opening
from models.landmarks_to_video.parting import COLUMNS, DEPTHS, GIVE, part, parting_line
from tests.unit.models.faces import face_landmarks

SKIN = torch.zeros(1, COMPLEXION)
SKIN[:, 0] = torch.tensor(0.6).log()
WHITE, LIPS, DARK = (0.80, 0.78, 0.74), (0.7, 0.35, 0.35), (0.2, 0.1, 0.1)


def portrait(
    opening: float, teeth: tuple[float, float, float], span: tuple[float, float] = (0, 1)
) -> tuple[Tensor, Tensor]:
    """Return `[1, 3, 256, 256]` and landmarks: lips around a dark mouth, with teeth over a span of
    the way from the upper to the lower lip.
    """
    landmarks = torch.from_numpy(face_landmarks(opening=opening))[None]
    places = torch.stack(
        torch.meshgrid(torch.arange(256.0), torch.arange(256.0), indexing="xy"), dim=-1
    ).reshape(1, -1, 2)
    between = signed_distance(places, landmarks[:, MOUTH.polygons[0]]) > 0
    lips = UprightLips.of(landmarks)
    x, y = lips.from_crop(places).unbind(dim=-1)
    upper, lower = lips.edges(x)
    depth = (y - upper) / (lower - upper)
    shown = between & (depth >= span[0]) & (depth <= span[1])
    image = torch.tensor(LIPS).repeat(256 * 256, 1)
    image[between[0]], image[shown[0]] = torch.tensor(DARK), torch.tensor(teeth)
    return image.T.reshape(1, 3, 256, 256).clone(), landmarks


@pytest.mark.parametrize("end", [0.6, 1.0])
def test_the_line_lies_below_upper_teeth(end: float) -> None:
    line = parting_line(*portrait(12, WHITE, (0, end)), 1, SKIN)
    assert line is not None
    assert line[0, 12:-12].min() > end - 0.08


def test_the_line_lies_above_lower_teeth() -> None:
    line = parting_line(*portrait(12, WHITE, (0.5, 1)), 1, SKIN)
    assert line is not None
    assert line[0, 12:-12].max() < 0.5


def test_a_line_between_two_teeth_does_not_bend_it() -> None:
    image, landmarks = portrait(12, WHITE, (0, 0.6))
    image[..., 128] *= 0.5
    line = parting_line(image, landmarks, 1, SKIN)
    assert line is not None
    assert line[0].diff().abs().max() < 1.5 / DEPTHS


def test_a_dark_or_closed_mouth_does_not_part() -> None:
    assert parting_line(*portrait(12, DARK), 1, SKIN) is None
    assert parting_line(*portrait(0, WHITE), 1, SKIN) is None
    assert parting_line(*portrait(1, WHITE), 1, SKIN) is None


def parted(wanted: float, line: float) -> tuple[Tensor, Tensor]:
    """Return where the middle column of an opening `wanted` px high lies in one 10 px high, px
    below that one's upper lip, and how far it is a cavity; a number for each px.
    """
    source, target = (torch.from_numpy(face_landmarks(opening=high))[None] for high in (10, wanted))
    origin = window_origin(target, MOUTH)
    opening = Opening.of(target, origin)
    parting = part(torch.full((1, COLUMNS), line), opening, source, target, 1)
    column = int(target[0, 62, 0] - origin[0, 0])
    inside = opening.inside[0, 0, :, column] > 0.99
    depth = parting.places[0, :, column, 1] - source[0, 62, 1]
    return depth[inside], parting.cavity[0, 0, inside, column]


@pytest.mark.parametrize("line", [0.3, 0.7])
def test_teeth_keep_their_height_however_wide_the_lips_part(line: float) -> None:
    depth, cavity = parted(20, line)
    own = depth.diff()[cavity[:-1] + cavity[1:] == 0]
    assert len(own) >= 6
    torch.testing.assert_close(own, torch.full_like(own, 1 / GIVE), atol=0.02, rtol=0)
    assert depth[0] < 1
    assert depth[-1] > 9
    assert 5 < float(cavity.sum()) < 11


def test_the_portraits_own_opening_shows_what_the_portrait_shows() -> None:
    depth, cavity = parted(10, 0.7)
    torch.testing.assert_close(depth, depth[0] + torch.arange(len(depth)), atol=0.02, rtol=0)
    assert float(cavity.max()) == 0
