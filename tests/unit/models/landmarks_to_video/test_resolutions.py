"""Both resolutions from one set of weights."""

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from models.landmarks_to_video.face_regions import EYES, MOUTH
from models.landmarks_to_video.painter_network import PainterConfig
from models.landmarks_to_video.visual_translator import TranslatorConfig, VisualTranslator
from tests.unit.models.faces import face_landmarks, face_picture

TINY = PainterConfig((8, 8, 8), (4, 4, 4), (1, 1, 1), 8, 8)
CONFIG = TranslatorConfig(mouth=TINY, eyes=TINY, motion_width=8, dentitions=2)


@pytest.fixture
def translator() -> VisualTranslator:
    torch.manual_seed(0)
    network = VisualTranslator(CONFIG).eval()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return network


def large(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(cv2.resize(picture, (512, 512), interpolation=cv2.INTER_LINEAR))


def test_a_crop_of_512_px_gives_frames_and_layers_of_that_size(
    translator: VisualTranslator,
) -> None:
    features = translator.prepare(large(face_picture()), face_landmarks())
    rendering = translator.animate(features, face_landmarks(opening=9)[None])
    assert rendering.scale == 2
    assert rendering.flow.shape == (1, 2, 64, 64)
    for region, layer in zip((MOUTH, EYES), rendering.layers, strict=True):
        size = (2 * region.height, 2 * region.width)
        assert layer.colour.shape == (1, 3, *size)
        assert layer.opacity.shape == (1, 1, *size)
        assert layer.shift.shape == (1, 2, *size)


def test_both_resolutions_show_the_same_moving_face(translator: VisualTranslator) -> None:
    for parameter in translator.mouth.retouch.out.parameters():
        torch.nn.init.zeros_(parameter)
    target = face_landmarks(opening=9, shift=(3, 2))[None]
    small, big = (
        translator.render(translator.prepare(picture, face_landmarks()), target)[0]
        for picture in (face_picture(), large(face_picture()))
    )
    shrunk = cv2.resize(big, (256, 256), interpolation=cv2.INTER_AREA).astype(int)
    difference = np.abs(shrunk - small)
    assert np.abs(small.astype(int) - face_picture()).max() > 20
    assert difference.mean() < 1.5


def test_a_face_at_rest_keeps_its_512_px_untouched(translator: VisualTranslator) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (512, 512, 3), dtype=np.uint8)
    features = translator.prepare(picture, face_landmarks(opening=3))
    frame = translator.render(features, face_landmarks(opening=3)[None])[0]
    assert np.abs(frame.astype(int) - picture).max() <= 1


def test_a_crop_of_another_size_is_refused(translator: VisualTranslator) -> None:
    with pytest.raises(ValueError, match="256"):
        translator.prepare(np.zeros((300, 300, 3), np.uint8), face_landmarks())
