"""Lids slide over an eyeball that does not deform."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from models.landmarks_to_video.eyes.glasses import Glasses
from models.landmarks_to_video.eyes.lid_skin import brow_room
from models.landmarks_to_video.eyes.lids import held_up, lift, moved_share
from models.landmarks_to_video.painter_network import PainterConfig
from models.landmarks_to_video.visual_translator import TranslatorConfig, VisualTranslator
from models.landmarks_to_video.warping import keep_slits, spline_flow
from tests.unit.models.faces import face_landmarks

TINY = PainterConfig((8, 8, 8), (4, 4, 4), (1, 1, 1), 8, 8)
SKIN, WHITE, IRIS = (170, 120, 100), (235, 235, 235), (30, 60, 160)


@pytest.fixture
def translator() -> VisualTranslator:
    torch.manual_seed(0)
    return VisualTranslator(TranslatorConfig(TINY, TINY, 8, 1)).eval()


def face_with_eyes(landmarks: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Draw plain skin, a colourful collar, white eyes between the lids, and a blue iris in each."""
    picture = np.full((256, 256, 3), SKIN, np.uint8)
    picture[200:] = np.random.default_rng(0).integers(0, 256, (56, 256, 3))
    y, x = np.mgrid[0:256, 0:256]
    for iris in landmarks[68:70]:
        white = ((x - iris[0]) / 12) ** 2 + ((y - iris[1]) / 4) ** 2 < 1
        picture[white] = WHITE
        picture[white & ((x - iris[0]) ** 2 + (y - iris[1]) ** 2 < 20)] = IRIS
    return picture


def with_lids(landmarks: NDArray[np.float32], share: float) -> NDArray[np.float32]:
    moved = landmarks.copy()
    for iris, eye in ((68, slice(36, 42)), (69, slice(42, 48))):
        moved[eye, 1] = landmarks[iris, 1] + share * (landmarks[eye, 1] - landmarks[iris, 1])
    return moved


def blueness(frame: NDArray[np.uint8], landmarks: NDArray[np.float32], iris: int = 68) -> int:
    x, y = landmarks[iris].astype(int)
    eye = frame[y - 12 : y + 12, x - 16 : x + 16].astype(int)
    return int((eye[..., 2] - eye[..., 0] > 40).sum())


def iris_under(translator: VisualTranslator, share: float) -> NDArray[np.bool_]:
    """Return where an eye `share` as far open shows its iris, `[19, 19]` around its centre."""
    landmarks = face_landmarks()
    features = translator.prepare(face_with_eyes(landmarks), landmarks)
    frame = translator.render(features, with_lids(landmarks, share)[None])[0].astype(int)
    x, y = landmarks[68].astype(int)
    around = frame[y - 9 : y + 10, x - 9 : x + 10]
    return np.asarray(around[..., 2] - around[..., 0] > 40)


def test_a_closed_eye_shows_no_iris(translator: VisualTranslator) -> None:
    landmarks = face_landmarks()
    features = translator.prepare(face_with_eyes(landmarks), landmarks)
    frames = translator.render(features, np.stack([landmarks, with_lids(landmarks, 0.02)]))
    assert blueness(frames[0], landmarks) > 40
    assert blueness(frames[1], landmarks) == 0


@pytest.mark.parametrize(
    ("closing", "lids", "open_iris"), [(68, slice(36, 42), 69), (69, slice(42, 48), 68)]
)
def test_a_wink_closes_one_eye_and_leaves_the_other(
    closing: int, lids: slice, open_iris: int, translator: VisualTranslator
) -> None:
    landmarks = face_landmarks()
    winking = landmarks.copy()
    winking[lids] = with_lids(landmarks, 0.02)[lids]
    features = translator.prepare(face_with_eyes(landmarks), landmarks)
    frame = translator.render(features, winking[None])[0]
    assert blueness(frame, landmarks, closing) == 0
    assert blueness(frame, landmarks, open_iris) > 40


def test_a_narrowed_eye_covers_its_iris_and_does_not_squeeze_it(
    translator: VisualTranslator,
) -> None:
    blue = iris_under(translator, 0.5)
    assert 3 <= blue.any(axis=1).sum() <= 7
    assert 8 <= blue[len(blue) // 2].sum() <= 10


@pytest.mark.parametrize(("own", "painted"), [(1.0, False), (0.2, True)])
def test_no_paint_goes_on_an_eyeball_that_the_portrait_shows(
    translator: VisualTranslator, own: float, painted: bool
) -> None:
    landmarks = with_lids(face_landmarks(), own)
    features = translator.prepare(face_with_eyes(face_landmarks()), landmarks)
    wanted = with_lids(face_landmarks(), 0.8)[None]
    plain = translator.render(features, wanted)[0].astype(int)
    translator.eyes.head.state_dict()["bias"][:4] += 1.0
    red = translator.render(features, wanted)[0].astype(int) - plain
    x, y = landmarks[68].astype(int)
    assert bool(red[y - 1 : y + 2, x - 3 : x + 4, 0].max() > 10) == painted
    assert red[y - 8, x - 3 : x + 4, 0].min() > 10


def test_a_widened_eye_shows_a_round_iris_of_the_same_size(translator: VisualTranslator) -> None:
    blue = iris_under(translator, 1.6)
    assert 8 <= blue.any(axis=0).sum() <= 10
    assert 7 <= blue.any(axis=1).sum() <= 10


@pytest.mark.parametrize("colour", [(20, 15, 15), (255, 255, 255)])
def test_a_lid_is_skin_whatever_lies_above_the_eye(
    translator: VisualTranslator, colour: tuple[int, int, int]
) -> None:
    landmarks = face_landmarks()
    picture = face_with_eyes(landmarks)
    for upper in landmarks[[37, 43]].astype(int):
        picture[upper[1] - 6 : upper[1] - 1, upper[0] - 12 : upper[0] + 20] = colour
    features = translator.prepare(picture, landmarks)
    frame = translator.render(features, with_lids(landmarks, 0.02)[None])[0].astype(int)
    x, y = landmarks[68].astype(int)
    lid = frame[y - 3, x - 4 : x + 5].mean(axis=0)
    assert 0.6 * sum(SKIN) < lid.sum() < 1.05 * sum(SKIN)


def lid_of(translator: VisualTranslator, picture: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the brightness of a closed lid, `[13, 9]`: from 8 px above the pupil to 4 below it."""
    landmarks = face_landmarks()
    features = translator.prepare(picture, landmarks)
    frame = translator.render(features, with_lids(landmarks, 0.02)[None])[0]
    x, y = landmarks[68].astype(int)
    return np.asarray(frame[y - 8 : y + 5, x - 4 : x + 5].mean(axis=-1, dtype=np.float64))


def test_the_only_dark_line_of_a_closed_eye_is_where_the_lids_meet(
    translator: VisualTranslator,
) -> None:
    landmarks = face_landmarks()
    picture = face_with_eyes(landmarks)
    for upper in landmarks[[37, 43]].astype(int):
        picture[upper[1] - 1 : upper[1] + 1, upper[0] - 8 : upper[0] + 17] = (40, 30, 30)
    rows = lid_of(translator, picture).mean(axis=1)
    assert rows[:6].min() > 0.78 * np.mean(SKIN)
    assert rows[6:].min() < 0.65 * np.mean(SKIN)


def lined(
    landmarks: NDArray[np.float32], picture: NDArray[np.uint8], thickness: int
) -> NDArray[np.uint8]:
    """Draw a dark edge, some px thick, on each upper lid."""
    y, x = np.mgrid[0:256, 0:256]
    for knots in (landmarks[36:40], landmarks[42:46]):
        edge = np.interp(x, knots[:, 0], knots[:, 1], left=np.inf, right=np.inf)
        picture[(y > edge - thickness) & (y <= edge)] = (40, 30, 30)
    return picture


def wide_eye_closed(
    translator: VisualTranslator, picture: NDArray[np.uint8]
) -> NDArray[np.float64]:
    """Return the brightness relative to skin, `[15]` from 16 px above to 2 px above the pupil."""
    landmarks = with_lids(face_landmarks(), 2.2)
    features = translator.prepare(picture, landmarks)
    frame = translator.render(features, with_lids(landmarks, 0.02)[None])[0]
    x, y = landmarks[68].astype(int)
    lid = frame[y - 16 : y - 1, x - 4 : x + 5].mean(axis=(1, 2), dtype=np.float64)
    return np.asarray(lid / np.mean(SKIN))


def test_nothing_dark_remains_where_the_edge_of_a_wide_open_lid_was(
    translator: VisualTranslator,
) -> None:
    landmarks = with_lids(face_landmarks(), 2.2)
    picture = lined(landmarks, np.full((256, 256, 3), SKIN, np.uint8), thickness=6)
    assert wide_eye_closed(translator, picture)[:12].min() > 0.85


def test_a_closed_lid_gets_darker_from_its_fold_to_its_edge(translator: VisualTranslator) -> None:
    landmarks = with_lids(face_landmarks(), 2.2)
    rows = wide_eye_closed(translator, face_with_eyes(landmarks))
    assert (np.diff(rows[4:]) < 0).all()
    assert rows[4] > 1


def test_the_crease_of_the_open_lid_goes(translator: VisualTranslator) -> None:
    landmarks = face_landmarks()
    picture = face_with_eyes(landmarks)
    x = int(landmarks[68, 0])
    edge = int(landmarks[37, 1])
    picture[edge - 8 : edge - 6, x - 16 : x + 17] = np.multiply(SKIN, 0.75).astype(np.uint8)
    features = translator.prepare(picture, landmarks)
    frame = translator.render(features, with_lids(landmarks, 0.02)[None])[0]
    fold = frame[edge - 10 : edge - 3, x - 4 : x + 5].mean(axis=(1, 2), dtype=np.float64)
    assert fold.min() > 0.96 * fold.max()


def test_the_crease_of_a_wide_open_eye_goes(translator: VisualTranslator) -> None:
    landmarks = with_lids(face_landmarks(), 2.2)
    landmarks[17:27, 1] -= 8
    picture = np.full((256, 256, 3), SKIN, np.uint8)
    y, x = np.mgrid[0:256, 0:256]
    for knots in (landmarks[36:40], landmarks[42:46]):
        height = np.interp(x, knots[:, 0], knots[:, 1], left=np.inf, right=np.inf) - y
        picture[(height >= 6) & (height < 11)] = (60, 45, 40)
    features = translator.prepare(picture, landmarks)
    frame = translator.render(features, with_lids(landmarks, 0.02)[None])[0]
    upper = int(landmarks[[37, 38], 1].mean())
    across = int(landmarks[68, 0])
    fold = frame[upper - 14 : upper, across - 4 : across + 5].mean(axis=(1, 2), dtype=np.float64)
    assert (np.diff(fold) < 0).all()


def test_a_blink_reads_the_motion_of_open_lids(translator: VisualTranslator) -> None:
    landmarks = face_landmarks()
    features = translator.prepare(face_with_eyes(landmarks), landmarks)
    seen: list[torch.Tensor] = []
    translator.motion.register_forward_pre_hook(lambda _, parts: seen.append(parts[3]))
    translator.render(features, with_lids(landmarks, 0.02)[None])
    own = torch.from_numpy(landmarks)[[37, 38, 43, 44], 1]
    assert (seen[0][0, [37, 38, 43, 44], 1] - own).abs().max() < 0.5


def test_lashes_are_as_dark_as_the_portraits(translator: VisualTranslator) -> None:
    landmarks = face_landmarks()
    plain, dark = (
        lid_of(translator, picture).mean(axis=1).min()
        for picture in (
            face_with_eyes(landmarks),
            lined(landmarks, face_with_eyes(landmarks), thickness=2),
        )
    )
    assert dark < 0.8 * plain


def test_a_closed_lid_has_the_grain_of_the_skin(translator: VisualTranslator) -> None:
    landmarks = face_landmarks()
    grain = np.random.default_rng(1).integers(-8, 9, (256, 256, 1))
    picture = face_with_eyes(landmarks)
    grained = (picture + grain).clip(0, 255).astype(np.uint8)
    with_grain, without = (
        np.diff(lid_of(translator, source)[2:6], axis=1).std() for source in (grained, picture)
    )
    assert without < 1
    assert 2 < with_grain < 8


def test_no_lash_is_drawn_down_a_closed_lid(translator: VisualTranslator) -> None:
    landmarks = face_landmarks()
    picture = face_with_eyes(landmarks)
    x, y = landmarks[68].astype(int)
    picture[y - 12 : y - 3, x] = (40, 30, 30)
    columns = lid_of(translator, picture)[4:7].mean(axis=0)
    assert columns.min() > 0.95 * columns.max()


def test_no_long_lash_stays_on_the_fold_of_a_closed_lid(translator: VisualTranslator) -> None:
    landmarks = face_landmarks()
    x, y = landmarks[68].astype(int)
    plain, lashes = face_with_eyes(landmarks), face_with_eyes(landmarks)
    lashes[y - 13 : y - 3, x - 6 : x + 8 : 7] = (40, 30, 30)
    frames = [
        translator.render(translator.prepare(picture, landmarks), with_lids(landmarks, 0.02)[None])
        for picture in (plain, lashes)
    ]
    without, with_lashes = (frame[0, y - 10 : y - 4, x - 8 : x + 9].astype(int) for frame in frames)
    assert (without - with_lashes).max() < 20


def test_the_line_of_a_closed_eye_reaches_its_corners(translator: VisualTranslator) -> None:
    landmarks = face_landmarks()
    features = translator.prepare(face_with_eyes(landmarks), landmarks)
    frame = translator.render(features, with_lids(landmarks, 0.02)[None])[0]
    for corner in landmarks[[36, 39, 42, 45]].round().astype(int):
        around = frame[corner[1] - 3 : corner[1] + 4, corner[0] - 1 : corner[0] + 2]
        assert around.mean(axis=(1, 2)).min() < 0.72 * np.mean(SKIN)


def test_a_rim_above_a_closing_eye_does_not_bend(translator: VisualTranslator) -> None:
    landmarks = face_landmarks()
    picture = face_with_eyes(landmarks)
    x, y = landmarks[68].astype(int)
    picture[y - 14 : y - 12, x - 20 : x + 20] = (20, 20, 20)
    features = translator.prepare(picture, landmarks)
    frame = translator.render(features, with_lids(landmarks, 0.02)[None])[0].astype(int)
    rows = np.arange(y - 18, y - 7)
    dark = sum(SKIN) - frame[rows, x - 10 : x + 11].sum(axis=-1)
    heights = (rows[:, None] * dark).sum(axis=0) / dark.sum(axis=0)
    assert np.abs(heights - (y - 12.5)).max() < 1.0


@pytest.mark.parametrize(("frame", "kept"), [(0.0, True), (20.0, False)])
def test_a_lid_stays_behind_a_rim_close_above_the_eye(
    translator: VisualTranslator, frame: float, kept: bool
) -> None:
    landmarks = face_landmarks()
    picture = face_with_eyes(landmarks)
    x, edge = int(landmarks[68, 0]), int(landmarks[37, 1])
    picture[edge - 6 : edge - 4, x - 20 : x + 20] = (40, 40, 40)
    features = translator.prepare(picture, landmarks)
    glasses = Glasses(torch.full((1, 1, 256, 256), frame))
    features = replace(features, glasses=glasses)
    drawn = translator.render(features, with_lids(landmarks, 0.02)[None])[0]
    rows = drawn[edge - 8 : edge - 2, x - 8 : x + 9].mean(axis=(1, 2), dtype=np.float64)
    assert bool(rows.min() < 0.5 * np.mean(SKIN)) == kept


def test_eyes_of_unlike_openings_close_at_once(translator: VisualTranslator) -> None:
    landmarks = face_landmarks()
    landmarks[42:48, 1] = landmarks[69, 1] + 0.6 * (landmarks[42:48, 1] - landmarks[69, 1])
    features = translator.prepare(face_with_eyes(landmarks), landmarks)
    for share, seen in ((0.14, False), (0.35, True)):
        frame = translator.render(features, with_lids(landmarks, share)[None])[0].astype(int)
        for x, y in landmarks[68:70].astype(int):
            eye = frame[y - 6 : y + 7, x - 6 : x + 7]
            assert bool((eye[..., 2] - eye[..., 0] > 10).any()) == seen


@pytest.mark.parametrize(("share", "lifted"), [(1.0, False), (0.7, False), (0.1, True)])
def test_the_warp_holds_up_the_lids_of_closing_eyes_alone(share: float, lifted: bool) -> None:
    source = torch.from_numpy(face_landmarks())[None]
    target = torch.from_numpy(with_lids(face_landmarks(), share))[None]
    held = held_up(source, target)
    flow = lift(source, target, held, spline_flow(source, target), torch.zeros(1, 2))
    assert bool(flow.abs().max() > 1) == lifted
    assert lifted or not flow.any()


def with_brows(landmarks: NDArray[np.float32], share: float) -> NDArray[np.float32]:
    """Return the face `[79, 2]` with its brows `share` as far above the upper lids."""
    moved = landmarks.copy()
    lids = landmarks[[37, 38, 43, 44], 1].mean()
    moved[17:27, 1] = lids + share * (landmarks[17:27, 1] - lids)
    return moved


def test_the_room_under_a_brow_is_that_in_the_portrait_at_most() -> None:
    own = torch.from_numpy(face_landmarks())[None]
    for share, least, most in ((0.6, 0.5, 0.7), (1.0, 1.0, 1.0), (1.4, 1.0, 1.0), (0.0, 0.3, 0.3)):
        face = torch.from_numpy(with_brows(face_landmarks(), share))[None]
        for eye in (0, 1):
            assert least <= brow_room(own, face, eye).item() <= most + 1e-6


def test_closing_lids_are_held_up_less_under_lowered_brows() -> None:
    own = face_landmarks()
    source = torch.from_numpy(own)[None]
    rises = []
    for share in (1.2, 1.0, 0.5):
        face = torch.from_numpy(with_lids(with_brows(own, share), 0.1))[None]
        rises.append((face - held_up(source, face))[0, [37, 38, 43, 44], 1].mean().item())
    assert rises[0] == pytest.approx(rises[1])
    assert 0.3 * rises[1] < rises[2] < 0.7 * rises[1]


def test_one_eye_can_move_alone() -> None:
    source = torch.from_numpy(face_landmarks())[None]
    winking = source.clone()
    winking[:, 42:48] = torch.from_numpy(with_lids(face_landmarks(), 0.1))[None, 42:48]
    share = moved_share(source, winking, 80)[0, 0, 0]
    assert share[:20].max() == 0
    assert share[-20:].min() == 1


def test_the_iris_stays_between_the_parted_lids() -> None:
    source = torch.from_numpy(face_landmarks())[None]
    closed = torch.from_numpy(with_lids(face_landmarks(), 0.0))[None]
    closed[:, 36:48, 1] += 5
    parted = keep_slits(source, closed)
    for iris, upper, lower in ((68, 37, 41), (69, 43, 47)):
        assert parted[0, upper, 1] < parted[0, iris, 1] < parted[0, lower, 1]
