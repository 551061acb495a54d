"""Glasses are found by their frame, and stay rigid while the face moves."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.landmarks_to_video.eyes.glasses import Glasses
from models.landmarks_to_video.eyes.glasses_frame import SURE, find_frame
from models.landmarks_to_video.painter_network import PainterConfig
from models.landmarks_to_video.visual_translator import TranslatorConfig, VisualTranslator
from tests.unit.models.faces import face_landmarks

TINY = PainterConfig((8, 8, 8), (4, 4, 4), (1, 1, 1), 8, 8)
SKIN, HAIR, LIP = (190, 150, 130), (70, 50, 40), (150, 80, 80)
TOP, BOTTOM = 92, 126
"""Rows of the drawn frames' upper and lower rims."""
SIDES = ((74, 122), (134, 182))
"""Their columns, the viewer's left rim first."""


def face(*, shade: float = 0.2) -> NDArray[np.uint8]:
    """Draw brows, eyes and lips on skin that darkens by `shade` from left to right."""
    picture = np.full((256, 256, 3), SKIN, np.uint8)
    for x in (98, 158):
        cv2.line(picture, (x - 18, 82), (x + 18, 82), HAIR, 5)
        cv2.ellipse(picture, (x, 105), (13, 5), 0, 0, 360, (240, 240, 240), -1)
        cv2.circle(picture, (x, 105), 4, HAIR, -1)
    cv2.ellipse(picture, (128, 178), (25, 8), 0, 0, 360, LIP, -1)
    light = 1 - shade * np.linspace(0, 1, 256)[None, :, None]
    return np.asarray(cv2.GaussianBlur(picture * light, (0, 0), 1).round(), np.uint8)


def with_glasses(
    picture: NDArray[np.uint8], colour: tuple[int, int, int] = (30, 30, 30), width: int = 3
) -> NDArray[np.uint8]:
    """Draw rectangular glasses with straight rims."""
    drawn = picture.copy()
    for left, right in SIDES:
        cv2.rectangle(drawn, (left, TOP), (right, BOTTOM), colour, width)
    for start, end in ((SIDES[0][1], SIDES[1][0]), (20, SIDES[0][0]), (SIDES[1][1], 236)):
        cv2.line(drawn, (start, TOP + 6), (end, TOP + 6), colour, width)
    return drawn


def turned(picture: NDArray[np.uint8], degrees: float) -> NDArray[np.uint8]:
    turn = cv2.getRotationMatrix2D((128, 128), degrees, 1)
    whole = cv2.warpAffine(picture, turn, (256, 256), borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(whole, np.uint8)


@pytest.mark.parametrize("colour", [(30, 30, 30), (250, 250, 245), (160, 20, 30)])
@pytest.mark.parametrize("width", [2, 3])
def test_frames_are_found(colour: tuple[int, int, int], width: int) -> None:
    frame = find_frame(with_glasses(face(), colour, width), face_landmarks())
    assert frame.strength >= SURE
    for (left, right), rim in zip(SIDES, frame.lines[3:], strict=True):
        beside = np.minimum(np.abs(rim[:, 0] - left), np.abs(rim[:, 0] - right))
        above = np.minimum(np.abs(rim[:, 1] - TOP), np.abs(rim[:, 1] - BOTTOM))
        assert np.percentile(np.minimum(beside, above), 90) < 2.5


@pytest.mark.parametrize("shade", [0.0, 0.6])
def test_a_bare_face_has_none(shade: float) -> None:
    assert find_frame(face(shade=shade), face_landmarks()).strength < SURE


def test_brows_that_meet_are_no_glasses() -> None:
    picture = face()
    cv2.line(picture, (80, 82), (176, 82), HAIR, 5)
    assert find_frame(picture, face_landmarks()).strength < SURE


def test_a_crease_across_the_nose_is_no_bridge() -> None:
    picture = face()
    cv2.line(picture, (112, 100), (144, 100), HAIR, 2)
    assert find_frame(picture, face_landmarks()).strength < SURE


def test_an_empty_picture_has_none() -> None:
    assert find_frame(np.zeros((256, 256, 3), np.uint8), face_landmarks()).strength < SURE


def test_finer_and_leaning_pictures_give_the_same_frame() -> None:
    picture, landmarks = with_glasses(face()), face_landmarks()
    upright = find_frame(picture, landmarks)
    fine = find_frame(np.asarray(cv2.resize(picture, (512, 512)), np.uint8), landmarks)
    turn = cv2.getRotationMatrix2D((128, 128), 15, 1)
    there = cv2.transform(landmarks[None], turn)[0].astype(np.float32)
    leaning = find_frame(turned(picture, 15), there)
    back = cv2.transform(leaning.lines[3][None], cv2.invertAffineTransform(turn))[0]
    assert np.abs(fine.lines[3] - upright.lines[3]).max() < 3
    assert np.median(np.abs(back - upright.lines[3])) < 1
    assert min(fine.strength, leaning.strength) >= SURE


@pytest.fixture
def translator() -> VisualTranslator:
    torch.manual_seed(0)
    return VisualTranslator(TranslatorConfig(TINY, TINY, 8, 1)).eval()


def raised_brows(rise: float) -> NDArray[np.float32]:
    """Return landmarks with brows raised by up to `rise` px, in the middle of each."""
    landmarks = face_landmarks()
    landmarks[17:27, 1] -= rise * np.array([0.2, 0.6, 1, 0.6, 0.2] * 2)
    return landmarks


def upper_rim(frame: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the height of the left upper rim, column by column; it alone is black there."""
    columns = slice(SIDES[0][0] + 6, SIDES[0][1] - 5)
    black = frame[70:103, columns].mean(axis=2) < 40
    rows = np.arange(70, 103)[:, None]
    return np.asarray((black * rows).sum(axis=0) / black.sum(axis=0), np.float64)


def test_a_straight_rim_stays_straight_under_raised_brows(translator: VisualTranslator) -> None:
    features = translator.prepare(with_glasses(face(), (0, 0, 0)), face_landmarks())
    raised = raised_brows(14)[None]
    held = translator.render(features, raised)[0]
    bent = translator.render(replace(features, glasses=None), raised)[0]
    assert np.ptp(upper_rim(held)) <= 1
    assert abs(upper_rim(held).mean() - TOP) < 1
    assert np.ptp(upper_rim(bent)) >= 3


def test_the_frame_goes_with_the_head(translator: VisualTranslator) -> None:
    features = translator.prepare(with_glasses(face(), (0, 0, 0)), face_landmarks())
    moved = raised_brows(14)
    moved[:, 1] += 6
    rim = upper_rim(translator.render(features, moved[None])[0])
    assert abs(rim.mean() - TOP - 6) < 1.5


def held_against(down: float) -> tuple[Tensor, Tensor, Tensor]:
    """Return a flow of `down` px and both parts of what the frame leaves of it, `[1, 2, 64, 64]`.

    The head is still: only the skin moves.
    """
    glasses = Glasses.of(with_glasses(face()), face_landmarks(), torch.device("cpu"))
    assert glasses
    flow = torch.zeros(1, 2, 64, 64)
    flow[:, 1] = down
    still = torch.from_numpy(face_landmarks())[None]
    return flow, *glasses.hold(flow, torch.zeros_like(flow), still, still)


def test_what_is_far_from_the_frame_moves_as_without_it() -> None:
    flow, held, rest = held_against(6)
    assert torch.equal(held[:, :, 44:], flow[:, :, 44:])
    assert rest.abs().max() == 0
    assert held[0, 1, TOP // 4, 98 // 4].abs() < 0.5


def test_near_the_frame_nothing_is_shown_twice() -> None:
    _, held, _ = held_against(12)
    read = held[0, 1] + 4 * torch.arange(64)[:, None]
    assert (read.diff(dim=0) > 0).all()
