from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from models.checkpoints import save_checkpoint
from models.landmarks_to_video.face_regions import MOUTH, window_flow, window_origin
from models.landmarks_to_video.mouth.dentition import TEETH_HEIGHT, lowest_row
from models.landmarks_to_video.painter_network import PainterConfig
from models.landmarks_to_video.visual_translator import (
    CHECKPOINT,
    TranslatorConfig,
    VisualTranslator,
)
from models.landmarks_to_video.warping import FLOW_STRIDE, upsample_flow
from models.manifest import CheckpointError
from tests.unit.models.faces import face_landmarks, face_picture
from tests.unit.models.landmarks_to_video.open_portraits import BLACK, DARK, portrait

TINY = PainterConfig((8, 8, 8), (4, 4, 4), (1, 1, 1), 8)
CONFIG = TranslatorConfig(mouth=TINY, eyes=TINY, motion_width=8)


@pytest.fixture
def translator() -> VisualTranslator:
    """A network in which every weight matters: nothing is at its neutral initialization."""
    torch.manual_seed(0)
    network = VisualTranslator(CONFIG).eval()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return network


def opened(*openings: float) -> NDArray[np.float32]:
    return np.stack([face_landmarks(opening=opening) for opening in openings])


def test_render_gives_a_picture_for_each_row_of_landmarks(translator: VisualTranslator) -> None:
    features = translator.prepare(face_picture(), face_landmarks())
    frames = translator.render(features, opened(2, 9, 16))
    assert frames.shape == (3, 256, 256, 3)
    assert frames.dtype == np.uint8
    assert (frames[0] != frames[2]).any()


def test_a_face_at_rest_is_returned_untouched(translator: VisualTranslator) -> None:
    picture = face_picture()
    features = translator.prepare(picture, face_landmarks(opening=3))
    frame = translator.render(features, opened(3))[0]
    assert np.abs(frame.astype(int) - picture).max() <= 1


def test_painting_fades_in_smoothly_as_the_face_leaves_rest(translator: VisualTranslator) -> None:
    picture = face_picture()
    features = translator.prepare(picture, face_landmarks(opening=3))
    frames = translator.render(features, opened(3.02, 3.2, 6)).astype(int)
    changes = [np.abs(frame - picture).max() for frame in frames]
    assert changes[0] <= 2
    assert changes[0] <= changes[1] < changes[2]


def test_the_background_stays_where_it_is_while_the_head_moves(
    translator: VisualTranslator,
) -> None:
    picture, face = face_picture(), face_landmarks()
    person = np.zeros((256, 256), np.float32)
    person[:, 40:216] = 1.0
    turned = (face + 6.0)[None]
    swaying, still = (
        translator.render(translator.prepare(picture, face, silhouette), turned)[0].astype(int)
        for silhouette in (None, person)
    )
    behind = np.s_[:, :16]
    assert (still[behind] == picture[behind]).all()
    assert (swaying[behind] != picture[behind]).any()
    assert (still[:, 64:192] == swaying[:, 64:192]).all()


def test_a_frame_does_not_depend_on_its_batch(translator: VisualTranslator) -> None:
    features = translator.prepare(face_picture(), face_landmarks())
    landmarks = opened(2, 9, 16)
    together = translator.render(features, landmarks).astype(int)
    alone = np.concatenate([translator.render(features, row[None]) for row in landmarks])
    assert np.abs(together - alone).max() <= 2


def test_a_window_meets_the_frame_without_a_seam(translator: VisualTranslator) -> None:
    """Only the painters differ, so only the window may differ, and not at its edge."""
    other = VisualTranslator(CONFIG).eval()
    other.load_state_dict(translator.state_dict())
    assert other.mouth.head.bias is not None
    torch.nn.init.constant_(other.mouth.head.bias, 0.5)
    target = opened(12)
    frames = [
        network.render(network.prepare(face_picture(), face_landmarks()), target)[0].astype(int)
        for network in (translator, other)
    ]
    difference = np.abs(frames[0] - frames[1]).max(axis=-1)
    x, y = window_origin(torch.from_numpy(target), MOUTH)[0].tolist()
    window = difference[y : y + MOUTH.height, x : x + MOUTH.width]
    assert window.max() > 20
    assert np.concatenate([window[0], window[-1], window[:, 0], window[:, -1]]).max() == 0
    window[:] = 0
    assert difference.max() == 0


def test_weights_come_back_from_their_file(translator: VisualTranslator, tmp_path: Path) -> None:
    path = tmp_path / CHECKPOINT
    save_checkpoint(path, translator.state_dict(), CONFIG)
    loaded = VisualTranslator.load(torch.device("cpu"), path)
    assert loaded.config == CONFIG
    assert not loaded.training
    for name, tensor in translator.state_dict().items():
        torch.testing.assert_close(loaded.state_dict()[name], tensor, atol=1e-3, rtol=1e-3)


def test_a_damaged_file_is_refused(translator: VisualTranslator, tmp_path: Path) -> None:
    path = tmp_path / CHECKPOINT
    save_checkpoint(path, translator.state_dict(), CONFIG)
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(CheckpointError):
        VisualTranslator.load(torch.device("cpu"), path)


def test_sizes_survive_the_header() -> None:
    config = replace(CONFIG, motion_width=24)
    assert TranslatorConfig.from_header(asdict(config)) == config


@pytest.mark.parametrize(("shown", "changed"), [(9, False), (0, True)])
def test_only_a_drawn_inside_is_retouched(
    translator: VisualTranslator, shown: float, changed: bool
) -> None:
    features = translator.prepare(face_picture(), face_landmarks(opening=shown))
    wanted = face_landmarks(opening=10)[None]
    frames = []
    for deviation in (0.0, 1.0):
        for parameter in translator.mouth.retouch.out.parameters():
            torch.nn.init.normal_(parameter, std=deviation)
        frames.append(translator.render(features, wanted).astype(int))
    assert (np.abs(frames[0] - frames[1]).max() > 1) == changed


def test_lower_teeth_are_spared_the_retouch(translator: VisualTranslator) -> None:
    features = translator.prepare(face_picture(), face_landmarks())
    wanted, changes = opened(14), []
    for opacity in (0.0, 1.0):
        frames = []
        for bias in (0.0, 0.2):
            for name, parameter in translator.mouth.retouch.out.named_parameters():
                torch.nn.init.constant_(parameter, bias if name == "bias" else 0)
            teeth = torch.zeros_like(features.teeth)
            teeth[:, 1, 3] = opacity
            frames.append(translator.render(replace(features, teeth=teeth), wanted).astype(int))
        lip = wanted[0, 66].round().astype(int)
        changes.append(np.abs(frames[1] - frames[0])[0, lip[1] - 3, lip[0]].max())
    assert 0 < changes[1] < 0.6 * changes[0]


def test_the_motion_network_does_not_move_closing_lips(translator: VisualTranslator) -> None:
    features = translator.prepare(face_picture(), face_landmarks(opening=12))
    flows, moved = [], []
    for deviation in (0.0, 0.1):
        for parameter in translator.motion.parameters():
            torch.nn.init.normal_(parameter, std=deviation)
        rendering = translator.animate(features, opened(0))
        layer = rendering.layers[0]
        flows.append(window_flow(rendering.flow, layer.origin, MOUTH))
        moved.append(layer.shift + upsample_flow(flows[-1], FLOW_STRIDE))
    core = (..., slice(16, -16), slice(16, -16))
    assert float((flows[0] - flows[1]).abs().mean()) > 0.3
    torch.testing.assert_close(moved[0][core], moved[1][core], atol=0.01, rtol=0)


def test_teeth_for_a_slight_shaded_opening_hang_as_low_as_those_of_a_closed_portrait(
    translator: VisualTranslator,
) -> None:
    translator.dentitions.maps[:, 3, : TEETH_HEIGHT // 2] = 1
    edges = []
    for inside in (DARK, BLACK):
        image, landmarks = portrait(4, inside)
        crop = (image[0].permute(1, 2, 0) * 255).byte().numpy()
        teeth = translator.prepare(crop, landmarks[0].numpy()).teeth
        edges.append(float(lowest_row(teeth[:, 0, 3])))
    assert edges[0] > edges[1] + 0.1
