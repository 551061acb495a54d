"""A lower lip that rolls inward above the landmarks."""

import numpy as np
import pytest
import torch
from torch import Tensor

from models.landmarks_to_video.mouth.lip_edge import SOFT, LowerLipEdge, within
from models.landmarks_to_video.mouth.lip_lines import UprightLips
from models.landmarks_to_video.mouth.open_mouth import read_open_mouth
from models.landmarks_to_video.visual_translator import TranslatorConfig, VisualTranslator
from tests.unit.models.faces import face_landmarks
from tests.unit.models.landmarks_to_video.open_portraits import DARK, LIPS, SKIN, WHITE, portrait

OPENING = 12


def with_rolled_lip(
    height: float, teeth: tuple[float, float, float] = WHITE
) -> tuple[Tensor, Tensor]:
    """Return a portrait whose lower lip reaches so many px above its landmarks, and these."""
    image, landmarks = portrait(OPENING, teeth, (0, 1 - height / OPENING))
    dark = (image[0] - torch.tensor(DARK)[:, None, None]).abs().amax(dim=0) < 1e-3
    image[0, :, dark] = torch.tensor(LIPS)[:, None]
    return image, landmarks


def rise_of(image: Tensor, landmarks: Tensor) -> float:
    """Return the rise that is read, px."""
    edge = LowerLipEdge.read(image, landmarks, 1)
    return float(edge.rise * UprightLips.of(landmarks).interocular)


@pytest.mark.parametrize("height", [0.0, 2.0, 4.0])
def test_a_lip_that_rests_on_teeth_is_found_above_the_landmarks(height: float) -> None:
    assert rise_of(*with_rolled_lip(height)) == pytest.approx(max(height - SOFT, 0), abs=0.6)


@pytest.mark.parametrize("opening", [0, -2])
def test_lips_that_touch_or_cross_rest_on_no_teeth(opening: float) -> None:
    landmarks = torch.from_numpy(face_landmarks(opening=opening))[None]
    image = torch.tensor(LIPS)[None, :, None, None].expand(1, 3, 256, 256)

    edge = LowerLipEdge.read(image, landmarks, 1)

    assert not edge.on_teeth
    torch.testing.assert_close(edge.raised(landmarks), landmarks)


def test_what_meets_no_teeth_is_no_lip() -> None:
    assert rise_of(*with_rolled_lip(3.0, DARK)) == 0
    grey, landmarks = with_rolled_lip(3.0)
    assert rise_of(grey.mean(dim=1, keepdim=True).expand(-1, 3, -1, -1), landmarks) == 0


def test_the_edge_rises_with_the_opening_and_not_in_closed_lips() -> None:
    edge = LowerLipEdge(torch.tensor([0.05]), torch.tensor([0.2]))
    shut, half, wide = (
        torch.from_numpy(face_landmarks(opening=60 * gap))[None] for gap in (0.0, 0.1, 0.4)
    )
    for lips, rise in ((shut, 0.0), (half, 1.5), (wide, 3.0)):
        up = lips[0, 66, 1] - edge.raised(lips)[0, 66, 1]
        assert float(up) == pytest.approx(rise, abs=0.05)
    torch.testing.assert_close(edge.raised(wide)[:, :65], wide[:, :65])


def test_teeth_end_where_they_did() -> None:
    image, landmarks = with_rolled_lip(4.0)
    mouth = read_open_mouth(image, landmarks, 1, SKIN)
    assert mouth is not None
    raised = landmarks.clone()
    raised[:, [65, 66, 67], 1] -= 3
    seen = within(mouth, raised)
    before, after = (float(part.line[0, 32]) for part in (mouth, seen))
    assert after * (OPENING - 3) == pytest.approx(before * OPENING, abs=0.3)
    assert not seen.lower.shown


def test_the_lip_keeps_its_height_as_the_mouth_opens() -> None:
    image, landmarks = with_rolled_lip(4.0)
    crop = (image[0].permute(1, 2, 0) * 255).to(torch.uint8).numpy()
    torch.manual_seed(0)
    translator = VisualTranslator(TranslatorConfig()).eval()
    features = translator.prepare(crop, landmarks[0].numpy())
    wide = face_landmarks(opening=1.25 * OPENING)
    frame = translator.render(features, wide[None])[0].astype(float)
    x, y = (round(float(place)) for place in wide[66])
    column = frame[y - OPENING : y, x]
    lip = np.abs(column - 255 * np.array(LIPS)).max(axis=1) < 12
    assert lip.sum() <= 5
