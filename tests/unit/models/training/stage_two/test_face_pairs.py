from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from media.faces.landmarks import CROP_SIZE, MIRROR, NUM_LANDMARKS
from models.landmarks_to_video.face_regions import EYES, MOUTH, Region
from models.landmarks_to_video.mouth.dentition import Dentitions
from models.landmarks_to_video.warping import FLOW_STRIDE, spline_flow
from models.training.stage_two import face_pairs
from models.training.stage_two.face_pairs import PairSampler
from tests.unit.models.training.talking_faces import talking_faces


def sampler(seed: int = 0) -> PairSampler:
    return PairSampler(talking_faces(), np.random.default_rng(seed))


def test_mirroring_twice_changes_nothing() -> None:
    order = np.array(MIRROR)
    assert (order[order] == np.arange(NUM_LANDMARKS)).all()


def test_a_mirrored_face_keeps_its_right_eye_on_the_right() -> None:
    faces = talking_faces()
    mirrored = faces.landmarks[0][list(MIRROR)] * np.array([-1, 1]) + np.array([CROP_SIZE - 1, 0])
    np.testing.assert_allclose(mirrored, faces.landmarks[0], atol=4)


@pytest.mark.parametrize("region", [MOUTH, EYES])
def test_windows_and_portraits_fit_the_region(region: Region) -> None:
    batch = sampler().window_pairs(3, region)
    margin = 2 * face_pairs.MARGIN
    assert batch.wanted.shape == (3, 3, region.height, region.width)
    assert batch.window.image.shape == (3, 3, region.height + margin, region.width + margin)
    assert batch.window.flow.shape[-2:] == (
        region.height // FLOW_STRIDE,
        region.width // FLOW_STRIDE,
    )
    assert 0 <= batch.wanted.min() <= batch.wanted.max() <= 1


def test_the_window_is_where_the_landmarks_say(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bright mouth in the synthetic frames is where the window's landmarks are."""
    monkeypatch.setattr(face_pairs, "JITTER", 0.0)
    batch = sampler().window_pairs(8, MOUTH)
    centres = batch.window.target[:, 60:68].mean(dim=1) - batch.window.origin
    for picture, (x, y) in zip(batch.wanted, centres.round().long().tolist(), strict=True):
        assert picture[:, y, x].mean() > 1.3 * picture[:, 2, 2].mean()


def test_the_windows_flow_is_a_cut_of_the_whole_one() -> None:
    window = sampler().window_pairs(1, EYES).window
    whole = spline_flow(window.source, window.target)
    x, y = (window.origin[0] // FLOW_STRIDE).tolist()
    height, width = window.flow.shape[-2:]
    torch.testing.assert_close(
        whole[..., y : y + height, x : x + width], window.flow, atol=1e-3, rtol=0
    )


def test_the_same_seed_draws_the_same_pairs() -> None:
    first, second = (sampler(3).window_pairs(4, MOUTH) for _ in range(2))
    assert first.wanted.equal(second.wanted)


def test_closed_portraits_and_open_targets_are_drawn_more_often() -> None:
    draws = sampler()._draw(300, MOUTH).rows
    openings = sampler().openings
    assert openings[draws[:, 1]].mean() > openings[draws[:, 0]].mean() + 2


def test_eyes_that_close_are_drawn_more_often() -> None:
    faces = talking_faces()
    faces.landmarks[2, 36:48, 1] = faces.landmarks[2, 36:48, 1].mean()
    pairs = PairSampler(faces, np.random.default_rng(0))
    assert [list(clips) for clips in pairs.blinking] == [[0]]
    rows = pairs._draw(300, EYES).rows
    assert pairs.lids[rows[:, 1]].mean() < pairs.lids[rows[:, 0]].mean()


def test_at_512_px_the_windows_show_the_same_places_twice_as_finely() -> None:
    faces = talking_faces()
    large = np.repeat(np.repeat(faces.images, 2, axis=1), 2, axis=2)
    fine = PairSampler(replace(faces, images=large), np.random.default_rng(3))
    small, big = (each.window_pairs(4, MOUTH) for each in (sampler(3), fine))
    assert big.window.scale == 2
    torch.testing.assert_close(big.window.origin, small.window.origin)
    torch.testing.assert_close(F.avg_pool2d(big.wanted, 2), small.wanted)
    torch.testing.assert_close(F.avg_pool2d(big.window.image, 2), small.window.image)


def test_a_wide_opening_is_drawn_far_more_often_than_it_was_filmed() -> None:
    faces = talking_faces()
    faces.landmarks[:-1, 65:68] = faces.landmarks[:-1, [63, 62, 61]] + np.array([0, 3])
    targets = PairSampler(faces, np.random.default_rng(0))._draw(300, MOUTH).rows[:, 1]
    assert (targets == len(faces) - 1).mean() > 0.4


def test_a_mouth_without_teeth_of_its_own_borrows_some() -> None:
    dentitions = Dentitions(1)
    dentitions.maps[:, 3] = 1
    faces = talking_faces()
    flesh = np.tile(np.array([130, 70, 60], np.uint8), (*faces.images.shape[:3], 1))
    bare = replace(faces, images=flesh)
    drawn = PairSampler(bare, np.random.default_rng(0), dentitions=dentitions)
    batch = drawn.window_pairs(4, MOUTH)
    assert batch.borrowed.tolist() == [1, 1, 1, 1]
    assert batch.window.teeth is not None
    assert float(batch.window.teeth[:, 0, 3].mean()) > 0.5
