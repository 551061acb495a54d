from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from media.faces.portrait import Portrait
from media.geometry import Square, crop_square, rotation
from models.animation import FACE_SMALL, Framing
from models.landmarks_to_video.face_regions import MOUTH
from models.landmarks_to_video.frame_drawing import Layer, Rendering
from models.landmarks_to_video.painter_network import PainterConfig
from models.landmarks_to_video.portrait_composer import Canvas, Composer
from models.landmarks_to_video.visual_translator import TranslatorConfig, VisualTranslator
from models.options import SynthesisOptions
from tests.unit.models.faces import face_landmarks, face_picture

BOX = Square(60, 40, 320)
AT_REST = (0.0, 0.0)


def picture(height: int = 480, width: int = 440) -> NDArray[np.uint8]:
    """Return a smooth picture."""
    smooth = Image.fromarray(face_picture()).resize((width, height), Image.Resampling.BICUBIC)
    return np.array(smooth)


def rendering(flow: tuple[float, float] = AT_REST, *layers: Layer, frames: int = 1) -> Rendering:
    """Return a rendering whose every place reads `flow` px aside."""
    everywhere = torch.tensor(flow).reshape(1, 2, 1, 1).expand(frames, 2, 64, 64)
    return Rendering(everywhere, layers)


def layer(
    x: int, y: int, *, shift: float = 0.0, colour: float = 0.0, opacity: float = 0.0
) -> Layer:
    """Return a uniform 40 x 24 px layer."""

    def plain(channels: int, value: float) -> torch.Tensor:
        return torch.full((1, channels, 24, 40), value)

    origin = torch.tensor([[x, y]])
    return Layer(origin, plain(2, shift), plain(3, colour * opacity), plain(1, opacity))


def whole(image: NDArray[np.uint8], box: Square) -> Composer:
    return Composer(Canvas.whole(image, box))


def composed(image: NDArray[np.uint8], box: Square, what: Rendering) -> NDArray[np.int_]:
    frame: NDArray[np.int_] = whole(image, box).compose(what)[0].astype(int)
    return frame


def inside(box: Square, margin: int = 0) -> tuple[slice, slice]:
    left, top, side = (int(length) for length in box[:3])
    return (
        slice(top + margin, top + side - margin),
        slice(left + margin, left + side - margin),
    )


def _shifted(place: tuple[slice, slice], down: int, right: int) -> tuple[slice, slice]:
    rows, columns = place
    return (
        slice(rows.start + down, rows.stop + down),
        slice(columns.start + right, columns.stop + right),
    )


def test_a_face_at_rest_leaves_the_picture_as_it_is() -> None:
    np.testing.assert_array_equal(composed(picture(), BOX, rendering()), picture())


def test_every_frame_of_a_batch_is_composed() -> None:
    assert whole(picture(), BOX).compose(rendering(frames=3)).shape == (3, 480, 440, 3)


def test_nothing_outside_the_crop_changes() -> None:
    frame = composed(picture(), BOX, rendering((9, -7), layer(100, 100, opacity=1)))
    changes = np.abs(frame - picture())
    assert changes[inside(BOX)].max() > 100
    changes[inside(BOX)] = 0
    assert changes.max() == 0


def test_motion_is_as_wide_as_the_crop_is_enlarged() -> None:
    frame = composed(picture(), BOX, rendering((4, 8)))
    rows, columns = inside(BOX, margin=40)
    moved = picture()[rows.start + 10 : rows.stop + 10, columns.start + 5 : columns.stop + 5]
    np.testing.assert_array_equal(frame[rows, columns], moved)


def test_the_crops_edge_shows_no_step() -> None:
    """A flow that is strong up to the edge would tear the picture there."""
    still, frame = picture().astype(int), composed(picture(), BOX, rendering((9, -7)))
    rows, columns = inside(BOX)
    for line in (rows.start, rows.stop):
        steps = [abs(im[line] - im[line - 1])[columns].max() for im in (still, frame)]
        assert steps[1] <= steps[0] + 1
    for line in (columns.start, columns.stop):
        steps = [abs(im[:, line] - im[:, line - 1])[rows].max() for im in (still, frame)]
        assert steps[1] <= steps[0] + 1


def test_paint_covers_its_window_and_nothing_else() -> None:
    frame = composed(picture(), BOX, rendering(AT_REST, layer(100, 60, colour=0.2, opacity=1)))
    rows, columns = slice(40 + 75, 40 + 105), slice(60 + 125, 60 + 175)
    np.testing.assert_array_equal(frame[rows, columns][1:-1, 1:-1], 51)
    frame[rows.start - 1 : rows.stop + 1, columns.start - 1 : columns.stop + 1] = 0
    expected = picture()
    expected[rows.start - 1 : rows.stop + 1, columns.start - 1 : columns.stop + 1] = 0
    np.testing.assert_array_equal(frame, expected)


def test_thin_paint_lets_the_picture_shine_through() -> None:
    frame = composed(picture(), BOX, rendering(AT_REST, layer(100, 60, colour=1.0, opacity=0.5)))
    assert frame[130, 210] == pytest.approx(picture()[130, 210] / 2 + 127.5, abs=1)


def test_a_layers_shift_is_added_to_the_flow() -> None:
    frame = composed(picture(), BOX, rendering((4, 4), layer(100, 60, shift=4)))
    np.testing.assert_array_equal(frame[120:140, 190:230], picture()[130:150, 200:240])


@pytest.mark.parametrize("angle", [20.0, -45.0, 90.0, 180.0])
def test_a_turned_crop_moves_the_picture_as_the_head_leans(angle: float) -> None:
    box = Square(*BOX[:3], angle)
    np.testing.assert_array_equal(composed(picture(), box, rendering()), picture())
    frame = composed(picture(), box, rendering((4, 8)))
    x, y = (round(float(length)) for length in rotation(angle) @ (5, 10))
    middle = inside(BOX, margin=120)
    rows, columns = _shifted(middle, y, x)
    still = np.abs(frame[middle] - picture()[middle]).mean()
    assert np.abs(frame[middle] - picture()[rows, columns]).mean() < still / 5


@pytest.mark.parametrize("angle", [20.0, -45.0, 90.0])
def test_paint_of_a_turned_crop_lies_where_the_crop_has_it(angle: float) -> None:
    box = Square(*BOX[:3], angle)
    what = rendering(AT_REST, layer(100, 60, colour=0.2, opacity=1))
    changed = np.abs(composed(picture(), box, what) - picture()).max(axis=-1) > 8
    y, x = np.mgrid[:480, :440]
    places = box.to_window(np.stack([x + 0.5, y + 0.5], axis=-1).astype(np.float32), 256)
    depth = np.minimum(places - (100, 60), (140, 84) - places).min(axis=-1)
    assert changed[depth > 2].mean() > 0.9
    assert not changed[depth < -1].any()


def test_finer_layers_cover_the_same_window() -> None:
    coarse = rendering(AT_REST, layer(100, 60, colour=0.2, opacity=1))
    fine = Layer(
        coarse.layers[0].origin,
        *(
            map_.repeat_interleave(2, 2).repeat_interleave(2, 3)
            for map_ in (coarse.layers[0].shift, coarse.layers[0].colour, coarse.layers[0].opacity)
        ),
    )
    twice = Rendering(coarse.flow, (fine,), scale=2)
    apart = np.abs(composed(picture(), BOX, coarse) - composed(picture(), BOX, twice))
    assert apart.max(axis=-1)[116:144, 186:234].max() <= 1
    assert (apart.max(axis=-1) > 1).sum() <= 2 * (30 + 50) + 4


def test_nothing_moves_at_the_pictures_own_edge() -> None:
    """There is nothing beyond it that could move in."""
    box = Square(-50, -30, 320)
    frame = composed(picture(), box, rendering((9, -7)))
    np.testing.assert_allclose(frame[:, 0], picture()[:, 0], atol=3)
    np.testing.assert_allclose(frame[0], picture()[0], atol=3)
    assert np.abs(frame - picture())[40:200, 40:200].mean() > 10


@pytest.mark.parametrize("size", [256, 512])
@pytest.mark.parametrize("angle", [0.0, 30.0])
def test_a_close_up_shows_its_view_and_nothing_from_beyond_the_picture(
    size: int, angle: float
) -> None:
    box = Square(-50, 40, 320, angle)
    view = box.within(440, 480)
    composer = Composer(Canvas.close_up(picture(), box, view, size))
    assert composer.size == (size, size)
    at_rest, moved = (composer.compose(rendering(by))[0] for by in (AT_REST, (9, -7)))
    np.testing.assert_allclose(at_rest, crop_square(picture(), view, size), atol=3)
    assert np.abs(moved.astype(int) - at_rest).mean() > 5
    assert np.abs(moved[:, 0].astype(int) - at_rest[:, 0]).max() <= 4
    points = face_landmarks()
    in_picture = box.to_picture(points, 256)
    np.testing.assert_allclose(composer.place(points), view.to_window(in_picture, size), atol=1e-2)
    np.testing.assert_allclose(composer.locate(composer.place(points)), points, atol=1e-3)


@pytest.mark.parametrize("corner", [(-50, -30), (170, 200)])
def test_a_crop_may_reach_beyond_the_picture(corner: tuple[int, int]) -> None:
    box = Square(*corner, 320)
    np.testing.assert_array_equal(composed(picture(), box, rendering()), picture())
    assert (composed(picture(), box, rendering((9, -7))) != picture()).any()


@pytest.mark.parametrize("box", [Square(300, 40, 320), Square(60, 300, 320)])
def test_a_layer_beyond_the_picture_is_left_out(box: Square) -> None:
    """Given landmarks may lie there."""
    beyond = layer(210, 200, opacity=1)
    np.testing.assert_array_equal(composed(picture(), box, rendering(AT_REST, beyond)), picture())


def test_an_extremely_narrow_picture_is_still_composed() -> None:
    thread = np.zeros((70_000, 66, 3), np.uint8)
    composer = whole(thread, Square(-20, -10, 99))
    assert composer.compose(rendering(AT_REST, layer(100, 60))).shape == (1, 1920, 2, 3)


@pytest.mark.parametrize(
    ("given", "size"),
    [
        ((481, 441), (440, 480)),
        ((1200, 2400), (1920, 960)),
        ((2403, 1201), (960, 1920)),
        ((3000, 3000), (1486, 1486)),
    ],
)
def test_frames_are_even_and_of_a_size_that_players_decode(
    given: tuple[int, int], size: tuple[int, int]
) -> None:
    composer = whole(picture(*given), BOX)
    assert composer.size == size
    assert composer.compose(rendering()).shape == (1, *size[::-1], 3)


def test_landmarks_are_placed_in_the_frame() -> None:
    corners = np.array([[0, 0], [256, 128]], np.float32)
    np.testing.assert_allclose(whole(picture(), BOX).place(corners), [[60, 40], [380, 200]])
    halved = whole(picture(3840, 2200), Square(600, 400, 1280)).place(corners)
    np.testing.assert_allclose(halved, [[300, 200], [940, 520]])


def test_scaled_down_the_face_is_the_one_that_the_translator_renders() -> None:
    """Untrained, a painter already darkens an opening mouth."""
    torch.manual_seed(0)
    tiny = PainterConfig((8, 8, 8), (4, 4, 4), (1, 1, 1), 8)
    translator = VisualTranslator(TranslatorConfig(mouth=tiny, eyes=tiny, motion_width=8)).eval()
    image, box = picture(900, 900), Square(50, 80, 768)
    target = face_landmarks(opening=12, shift=(2, 1))[None]
    features = translator.prepare(crop_square(image, box, 256), face_landmarks())
    animated = translator.animate(features, target)
    rendered = translator.render(features, target)[0].astype(int)

    def differences(what: Rendering) -> NDArray[np.int_]:
        small = crop_square(whole(image, box).compose(what)[0], box, 256)
        inner: NDArray[np.int_] = np.abs(small - rendered)[32:-32, 32:-32]
        return inner

    assert differences(animated).mean() < 1
    assert differences(animated).max() < 40  # an opening has an edge one pixel wide
    assert differences(replace(animated, layers=())).max() > 100


def test_what_the_painters_left_out_of_the_flow_is_left_out_of_the_composition() -> None:
    """A painter refines the prior flow alone, without what the motion network adds to it."""
    torch.manual_seed(0)
    tiny = PainterConfig((8, 8, 8), (4, 4, 4), (1, 1, 1), 8)
    translator = VisualTranslator(TranslatorConfig(mouth=tiny, eyes=tiny, motion_width=8)).eval()
    with torch.no_grad():
        assert translator.motion.out.bias is not None
        translator.motion.out.bias.fill_(1.0)
    image, box = picture(512, 512), Square(128, 128, 256)
    features = translator.prepare(crop_square(image, box, 256), face_landmarks())
    target = face_landmarks(shift=(2, 1))[None]
    rendered = translator.render(features, target)[0].astype(int)
    frame = composed(image, box, translator.animate(features, target))[128:384, 128:384]
    left, top = 128 - MOUTH.width // 2, 179 - MOUTH.height // 2
    middle = slice(top + 12, top + MOUTH.height - 12), slice(left + 12, left + MOUTH.width - 12)
    assert np.abs(frame - rendered)[middle].mean() < 1


def test_a_face_that_is_scaled_down_too_far_gets_a_notice() -> None:
    image = np.zeros((400, 4000, 3), np.uint8)
    portrait = Portrait(image, face_landmarks(), Square(900, 100, 140))
    full = SynthesisOptions(compose="full")
    assert Framing.of(portrait, full).notices == (FACE_SMALL,)
    assert Framing.of(portrait, SynthesisOptions()).notices == ()
    assert Framing.of(replace(portrait, image=image[:, :1900]), full).notices == ()
