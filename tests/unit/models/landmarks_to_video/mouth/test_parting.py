"""Portraits that show their teeth, and open or close."""

import numpy as np
import pytest
import torch
from torch import Tensor

from models.landmarks_to_video.face_regions import MOUTH, window_origin
from models.landmarks_to_video.mouth.interior import LOWER_SHARE, Opening
from models.landmarks_to_video.mouth.lip_lines import UprightLips
from models.landmarks_to_video.mouth.open_mouth import OpenMouth, read_open_mouth
from models.landmarks_to_video.mouth.parting import Spots, part_mouth
from models.landmarks_to_video.mouth.teeth_line import COLUMNS
from models.landmarks_to_video.mouth.tooth_rows import SOFT_GONE, SOFT_UNTIL, TEETH_GIVE, Row
from models.landmarks_to_video.visual_translator import TranslatorConfig, VisualTranslator
from tests.unit.models.faces import face_landmarks
from tests.unit.models.landmarks_to_video.open_portraits import (
    BLACK,
    SKIN,
    WHITE,
    portrait,
    with_a_spot,
)


def drawn_share(image: Tensor, landmarks: Tensor, wanted: float) -> Tensor:
    """Return how far nothing of the portrait is seen, over the opening of lips `wanted` px apart;
    from left to right, in the lower half of the opening's middle rows.
    """
    mouth = read_open_mouth(image, landmarks, 1, SKIN)
    assert mouth is not None
    target = torch.from_numpy(face_landmarks(opening=wanted))[None]
    opening = Opening.of(target, window_origin(target, MOUTH))
    parting = part_mouth(mouth, Spots.of(opening), 1)
    cavity = parting.cavity.reshape(MOUTH.height, MOUTH.width)
    low = (opening.inside[0, 0] > 0.9) & (opening.above_lower[0, 0] < 2)
    return torch.stack([cavity[:, i][low[:, i]].mean() for i in low.any(dim=0).nonzero()[:, 0]])


def test_one_tooth_in_a_slight_opening_gives_way_in_every_opening() -> None:
    tooth, none = with_a_spot(3, (0, 1), slice(120, 124)), portrait(3, BLACK)
    for wanted in (2.5, 3, 4):
        assert drawn_share(*tooth, wanted).min() > 0.85
        assert drawn_share(*none, wanted).mean() < 0.2


@pytest.mark.parametrize("wanted", [3.0, 4.0, 5.0, 12.0])
def test_two_front_teeth_give_way_in_every_opening_and_a_whole_row_in_none(wanted: float) -> None:
    few = with_a_spot(5, (0, 0.8), slice(122, 135))
    mouths = [read_open_mouth(*shown, 1, SKIN) for shown in (few, portrait(5, WHITE, (0, 0.8)))]
    assert [mouth is not None and mouth.borrows_upper for mouth in mouths] == [True, False]
    target = torch.from_numpy(face_landmarks(opening=wanted))[None]
    opening = Opening.of(target, window_origin(target, MOUTH))
    high = ((opening.inside > 0.99) & (opening.below_upper < 1)).flatten()
    for mouth, gone in zip(mouths, (1.0, 0.0), strict=True):
        assert mouth is not None
        parting = part_mouth(mouth, Spots.of(opening), 1)
        middle = high & (opening.sideways.abs() < 0.1).flatten()
        assert parting.cavity[0, middle].mean() == pytest.approx(gone, abs=0.05)


def parted(wanted: float, line: float, rows: tuple[float, float] = (1, 1)) -> tuple[Tensor, Tensor]:
    """Return where the middle column of an opening `wanted` px high lies in one 10 px high, px
    below that one's upper lip, and how far it is a cavity; a number for each px. `rows` tells
    whether there are teeth above and below the line.
    """
    source, target = (torch.from_numpy(face_landmarks(opening=high))[None] for high in (10, wanted))
    origin = window_origin(target, MOUTH)
    opening = Opening.of(target, origin)
    upper, lower = (Row(torch.full((1, COLUMNS), float(teeth)), TEETH_GIVE) for teeth in rows)
    shown, white = UprightLips.of(source), torch.tensor([WHITE])
    mouth = OpenMouth(shown, torch.full((1, COLUMNS), line), upper, lower, white)
    parting = part_mouth(mouth, Spots.of(opening), 1)
    column = int(target[0, 62, 0] - origin[0, 0])
    inside = opening.inside[0, 0, :, column] > 0.99
    places = parting.places.reshape(MOUTH.height, MOUTH.width, 2)
    depth = places[:, column, 1] - source[0, 62, 1]
    cavity = parting.cavity.reshape(MOUTH.height, MOUTH.width)
    return depth[inside], cavity[inside, column]


@pytest.mark.parametrize("line", [0.3, 0.7])
def test_teeth_keep_their_height_however_wide_the_lips_part(line: float) -> None:
    depth, cavity = parted(20, line)
    own = depth.diff()[cavity[:-1] + cavity[1:] == 0]
    assert len(own) >= 6
    torch.testing.assert_close(own, torch.full_like(own, 1 / TEETH_GIVE), atol=0.02, rtol=0)
    assert depth[0] < 1
    assert depth[-1] > 9
    assert 5 < float(cavity.sum()) < 11


def test_the_portraits_own_opening_shows_what_the_portrait_shows() -> None:
    depth, cavity = parted(10, 0.7)
    torch.testing.assert_close(depth, depth[0] + torch.arange(len(depth)), atol=0.02, rtol=0)
    assert float(cavity.max()) == 0


def narrower(share: float, opening: float) -> np.ndarray:
    """Return lips `[79, 2]` whose corners are drawn together."""
    landmarks = face_landmarks(opening=opening)
    middle = landmarks[60:68, 0].mean()
    landmarks[48:68, 0] = middle + share * (landmarks[48:68, 0] - middle)
    return landmarks


def with_a_dark_tooth() -> tuple[np.ndarray, np.ndarray, int]:
    """Return the crop and the landmarks of a portrait with a dark column in its teeth, and the
    place of that column.
    """
    image, landmarks = portrait(14, WHITE, (0, 0.8))
    column = round(float(landmarks[0, 62, 0])) + 8
    image[..., column - 1 : column + 2] *= 0.5
    crop = (image[0].permute(1, 2, 0) * 255).to(torch.uint8).numpy()
    return crop, landmarks[0].numpy(), column


@pytest.mark.parametrize("opening", [8.0, 12.0, 14.0, 16.0, 20.0])
@pytest.mark.parametrize("width", [0.75, 0.9, 1.15])
def test_teeth_keep_their_place_whatever_the_lips_width(opening: float, width: float) -> None:
    crop, landmarks, column = with_a_dark_tooth()
    torch.manual_seed(0)
    translator = VisualTranslator(TranslatorConfig()).eval()
    features = translator.prepare(crop, landmarks)
    wanted = narrower(width, opening)
    row = round(float(wanted[62, 1])) + 4
    light = translator.render(features, wanted[None])[0, row, column - 4 : column + 5].min(axis=1)
    assert light.max() > 150
    assert abs(int(light.argmin()) - 4) <= 1
    assert light.min() < 130


def test_teeth_move_little_as_lips_begin_to_close() -> None:
    crop, landmarks, column = with_a_dark_tooth()
    torch.manual_seed(0)
    translator = VisualTranslator(TranslatorConfig()).eval()
    features = translator.prepare(crop, landmarks)
    openings = np.stack([narrower(0.8, high) for high in (9.0, 11.5, 14.0, 14.7)])
    row = round(float(openings[0, 62, 1])) + 4
    around = slice(column - 10, column + 6)
    seen = translator.render(features, openings)[:, row, around].astype(int)
    assert np.abs(np.diff(seen, axis=0)).max() < 40


def test_an_upper_lip_that_sinks_covers_teeth() -> None:
    source = torch.from_numpy(face_landmarks(opening=12))[None]
    target = source.clone()
    target[:, [61, 62, 63], 1] += 3
    origin = window_origin(target, MOUTH)
    teeth = Row(torch.ones(1, COLUMNS), TEETH_GIVE)
    line = torch.full((1, COLUMNS), 0.8)
    shown, none = UprightLips.of(source), Row(torch.zeros(1, COLUMNS))
    mouth = OpenMouth(shown, line, teeth, none, torch.tensor([WHITE]))
    spots = Spots.of(Opening.of(target, origin))
    places = part_mouth(mouth, spots, 1).places
    places = places.reshape(MOUTH.height, MOUTH.width, 2)
    column = int(target[0, 62, 0] - origin[0, 0])
    first = int(target[0, 62, 1] - origin[0, 1]) + 1
    kept = places[first : first + 5, column, 1] - origin[0, 1]
    torch.testing.assert_close(kept, torch.arange(first, first + 5.0), atol=0.1, rtol=0)


def test_what_is_no_tooth_gives_way_as_the_mouth_opens() -> None:
    for rows, end in (((1, 0), -1), ((0, 1), 0)):
        least, half, most = (
            float(parted(10 * ratio, 0.5, rows)[1][end])
            for ratio in (SOFT_UNTIL, (SOFT_UNTIL + SOFT_GONE) / 2, SOFT_GONE)
        )
        assert least < 0.02
        assert 0.4 < half < 0.6
        assert most > 0.98
        assert float(parted(10 * SOFT_GONE, 0.5, rows)[1][-1 - end]) == 0


def test_no_seam_is_left_of_what_has_given_way() -> None:
    assert float(parted(10 * SOFT_GONE, 0.5, (0, 0))[1].min()) > 0.98


def test_borrowed_teeth_are_as_light_as_the_portraits_own() -> None:
    image, landmarks = portrait(12, WHITE, (0, 0.6))
    crop = (image[0].permute(1, 2, 0) * 255).to(torch.uint8).numpy()
    translator = VisualTranslator(TranslatorConfig()).eval()
    translator.dentitions.maps.fill_(1)
    features = translator.prepare(crop, landmarks[0].numpy())
    upper = features.teeth[0, 0]
    shown = upper[:3, upper[3] > 0.99].mean(dim=1)
    with torch.inference_mode():
        enamel = translator.mouth.inside.enamel_colour(features.skin)[0]
    torch.testing.assert_close(shown * enamel, torch.tensor(WHITE), atol=0.02, rtol=0)


def test_no_borrowed_teeth_stand_behind_a_row_of_the_portrait() -> None:
    image, landmarks = portrait(12, WHITE, (0, 0.6))
    crop = (image[0].permute(1, 2, 0) * 255).to(torch.uint8).numpy()
    torch.manual_seed(0)
    translator = VisualTranslator(TranslatorConfig()).eval()
    wide = face_landmarks(opening=30)[None]
    column = int(landmarks[0, 62, 0])
    frames = []
    for upper_row, lower_row in ((0.0, 0.0), (1.0, 0.0), (0.0, 1.0)):
        translator.dentitions.maps.fill_(upper_row)
        translator.dentitions.lower_maps.fill_(lower_row)
        features = translator.prepare(crop, landmarks[0].numpy())
        frames.append(translator.render(features, wide)[0, :, column].astype(int))
    without, upper, lower = frames
    np.testing.assert_array_equal(upper, without)
    changed = np.flatnonzero(np.abs(lower - without).max(axis=1) > 20)
    assert len(changed) > 2
    assert changed.min() > 178 + 15 - LOWER_SHARE * 30 - 2


def test_a_portrait_in_a_narrower_opening_is_not_drawn_into() -> None:
    image, landmarks = portrait(12, WHITE, (0, 0.6))
    crop = (image[0].permute(1, 2, 0) * 255).to(torch.uint8).numpy()
    torch.manual_seed(0)
    translator = VisualTranslator(TranslatorConfig()).eval()
    narrow = face_landmarks(opening=8)[None]
    frames = []
    for fill in (0, 1):
        translator.dentitions.maps.fill_(fill)
        features = translator.prepare(crop, landmarks[0].numpy())
        frames.append(translator.render(features, narrow))
    np.testing.assert_array_equal(frames[0], frames[1])


def test_rendered_teeth_keep_their_height_in_a_wider_mouth() -> None:
    image, landmarks = portrait(12, WHITE, (0, 0.6))
    crop = (image[0].permute(1, 2, 0) * 255).to(torch.uint8).numpy()
    torch.manual_seed(0)
    translator = VisualTranslator(TranslatorConfig()).eval()
    features = translator.prepare(crop, landmarks[0].numpy())
    wide = np.stack([face_landmarks(opening=high) for high in (18, 24)])
    column = int(landmarks[0, 62, 0])
    for frame in (crop, *translator.render(features, wide)):
        teeth = (frame[:, column].min(axis=1) > 150).sum()
        assert 6 <= teeth <= 9


@pytest.mark.parametrize(("opening", "kept"), [(12, True), (18, False)])
def test_a_lower_lip_that_leaves_the_teeth_takes_no_gap_between_them_along(
    opening: int, kept: bool
) -> None:
    image, landmarks = portrait(12, WHITE)
    x, y = landmarks[0, 66].round().int().tolist()
    for gap in (x - 8, x + 8):
        image[..., y + 1 : y + 3, gap : gap + 2] = 0.05
    crop = (image[0].permute(1, 2, 0) * 255).to(torch.uint8).numpy()
    torch.manual_seed(0)
    translator = VisualTranslator(TranslatorConfig()).eval()
    features = translator.prepare(crop, landmarks[0].numpy())
    wide = face_landmarks(opening=opening)
    frame = translator.render(features, wide[None])[0]
    edge = round(float(wide[66, 1]))
    lip = frame[edge + 1 : edge + 5, x - 12 : x + 13].mean(axis=-1)
    assert (lip.min() < 60) == kept


def test_the_edge_of_a_row_before_another_is_soft() -> None:
    source, target = (torch.from_numpy(face_landmarks(opening=high))[None] for high in (12, 8))
    slanted = torch.linspace(0.5, 0.7, COLUMNS)[None]
    teeth, white = Row(torch.ones(1, COLUMNS), 1.0), torch.tensor([WHITE])
    mouth = OpenMouth(UprightLips.of(source), slanted, teeth, teeth, white)
    opening = Opening.of(target, window_origin(target, MOUTH), 2)
    parting = part_mouth(mouth, Spots.of(opening), 2)
    apart = (parting.behind - parting.places).norm(dim=-1)
    inside = opening.inside.flatten(1) > 0.99
    soft = inside & (parting.share > 0.05)
    assert int(soft.sum()) > 20
    assert float(parting.share.max()) <= 0.5
    assert float(apart[soft].min()) > 0.5
    # Along the edge, all shares occur: it has no stairs.
    shares = parting.share[soft]
    assert float(shares.min()) < 0.15 < 0.35 < float(shares.max())


def test_relaxed_lips_leave_no_shade_of_a_smile_beside_their_corners() -> None:
    image, landmarks = portrait(12, WHITE, (0, 0.6))
    smiling = landmarks[0].numpy()
    for corner in (60, 64):
        x, y = smiling[corner].round().astype(int).tolist()
        image[..., y - 3 : y + 3, x - 3 : x + 3] = 0.05
    crop = (image[0].permute(1, 2, 0) * 255).to(torch.uint8).numpy()
    torch.manual_seed(0)
    translator = VisualTranslator(TranslatorConfig()).eval()
    features = translator.prepare(crop, smiling)
    relaxed, middle = smiling.copy(), smiling[48:68, 0].mean()
    relaxed[48:68, 0] = middle + 0.7 * (smiling[48:68, 0] - middle)
    for lips, kept in ((smiling + np.float32(0.5), True), (relaxed, False)):
        frame = translator.render(features, lips[None])[0]
        left, y = lips[60].round().astype(int).tolist()
        beside = frame[y - 2 : y + 3, left - 3 : left].mean(axis=-1)
        assert (beside.min() < 60) == kept
