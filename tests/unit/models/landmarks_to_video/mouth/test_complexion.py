"""The colours and the light around a mouth."""

import pytest
import torch
from torch import Tensor

from models.landmarks_to_video.mouth.complexion import LIPS, complexion, sidelight
from models.landmarks_to_video.upright import face_frame
from tests.unit.models.faces import face_with_lips

SKIN, LIP = (0.6, 0.45, 0.35), (0.55, 0.3, 0.25)


def portrait(landmarks: Tensor, skin: tuple[float, float, float]) -> Tensor:
    """Draw a portrait `[1, 3, 256, 256]` of one colour with lips of another."""
    image = torch.tensor(skin)[None, :, None, None].repeat(1, 1, 256, 256)
    for pair in LIPS:
        x, y = landmarks[0, list(pair)].mean(dim=0).round().int().tolist()
        image[:, :, y - 3 : y + 4, x - 3 : x + 4] = torch.tensor(LIP)[None, :, None, None]
    return image


def read(image: Tensor, landmarks: Tensor) -> Tensor:
    return complexion(image, landmarks, torch.zeros(1, 2))[0]


def test_a_bluish_black_beard_is_not_taken_for_skin() -> None:
    landmarks = face_with_lips(0)
    bare = read(portrait(landmarks, SKIN), landmarks)
    bearded = read(portrait(landmarks, (0.08, 0.08, 0.10)), landmarks)
    lips = torch.tensor(LIP).mean().log()
    assert float(bare[0]) == pytest.approx(float(torch.tensor(SKIN).mean().log()), abs=1e-3)
    assert float(bearded[0]) == pytest.approx(float(lips), abs=1e-3)
    assert float(bearded[1]) > float(bearded[2]) > float(bearded[3])
    # The lips' own colour is not changed.
    assert (bearded[0] + bearded[4:]).tolist() == pytest.approx((bare[0] + bare[4:]).tolist())


@pytest.mark.parametrize("slope", [-0.8, 0.0, 0.8])
@pytest.mark.parametrize("turned", [0.0, 0.3])
def test_sidelight_is_the_slope_of_the_logarithm_along_the_eyes_line(
    slope: float, turned: float
) -> None:
    turn = torch.tensor([turned])
    rotation = torch.tensor([[turn.cos(), turn.sin()], [-turn.sin(), turn.cos()]])
    landmarks = (face_with_lips(0) - 128) @ rotation + 128
    distance, across = face_frame(landmarks)
    y, x = torch.meshgrid(torch.arange(256.0), torch.arange(256.0), indexing="ij")
    along = (x - 128) * across[0, 0] + (y - 128) * across[0, 1]
    image = (0.4 * (slope * along / distance).exp()).expand(1, 3, -1, -1)
    read = sidelight(image, landmarks, torch.zeros(1, 2))
    assert float(read) == pytest.approx(slope, abs=0.03)
