from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.face.given_landmarks import GivenLandmarks, LandmarksUnusable, check_place, checked
from models.face.landmark_track import LandmarkTrack

FRAMES = np.random.default_rng(0).uniform(0, 512, (4, 79, 2)).astype(np.float32)


def saved(folder: Path, **arrays: Any) -> Path:
    np.savez(folder / "given.npz", **arrays)
    return folder / "given.npz"


def test_what_a_track_saves_is_read_back(tmp_path: Path) -> None:
    track = LandmarkTrack(FRAMES, np.zeros((4, 8), np.float32), (640, 480), "full")
    (tmp_path / "track.npz").write_bytes(track.to_npz())
    given = GivenLandmarks.read(tmp_path / "track.npz")
    np.testing.assert_array_equal(given.landmarks, FRAMES)
    assert given.size == (640, 480)
    assert given.compose == "full"


def test_only_the_landmarks_array_is_required(tmp_path: Path) -> None:
    given = GivenLandmarks.read(saved(tmp_path, landmarks=FRAMES.astype(np.float64)))
    np.testing.assert_array_equal(given.landmarks, FRAMES)
    assert given.landmarks.dtype == np.float32
    assert (given.size, given.compose) == (None, None)


@pytest.mark.parametrize(
    ("arrays", "sentence"),
    [
        ({}, "holds no array; an array named landmarks is required"),
        ({"points": FRAMES}, "holds points; an array named landmarks"),
        ({"landmarks": FRAMES[0]}, r"the shape \[79, 2\]; \[T, 79, 2\] is required"),
        ({"landmarks": FRAMES[:, :68]}, r"the shape \[4, 68, 2\]"),
        ({"landmarks": np.zeros((4, 79, 3))}, r"the shape \[4, 79, 3\]"),
        ({"landmarks": FRAMES[:0]}, "0 frames; 1 to 7,500 are accepted"),
        ({"landmarks": np.zeros((7501, 79, 2), np.int16)}, "7,501 frames"),
        ({"landmarks": FRAMES.astype(str)}, "numbers are required"),
        ({"landmarks": FRAMES, "frame_rate": 30}, "30 frames a second; 25 are required"),
        ({"landmarks": FRAMES, "frame_rate": [25, 25]}, "25 are required"),
        ({"landmarks": FRAMES, "size": 512}, "size is 512"),
        ({"landmarks": FRAMES, "size": [512, 0]}, r"size is \[512, 0\]"),
        ({"landmarks": FRAMES, "compose": "half"}, "compose is 'half'; crop or full"),
        ({"landmarks": np.array([{}], object)}, "not a whole NumPy archive"),
    ],
)
def test_wrong_arrays_are_refused_with_the_reason(
    tmp_path: Path, arrays: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(LandmarksUnusable, match=sentence):
        GivenLandmarks.read(saved(tmp_path, **arrays))


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_a_number_that_is_not_finite_is_refused(wrong: float) -> None:
    landmarks = FRAMES.copy()
    landmarks[2, 30, 1] = wrong
    with pytest.raises(LandmarksUnusable, match=r"frame 2 .* NaN or infinity"):
        checked(landmarks)


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 cut short"])
def test_another_kind_of_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "given.npz").write_bytes(content)
    with pytest.raises(LandmarksUnusable, match="not a whole NumPy archive"):
        GivenLandmarks.read(tmp_path / "given.npz")


def test_a_single_array_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "given.npy", FRAMES)
    with pytest.raises(LandmarksUnusable, match="single array"):
        GivenLandmarks.read(tmp_path / "given.npy")


def test_points_far_outside_the_frames_are_refused() -> None:
    check_place(FRAMES - 200, (512, 512))
    landmarks = FRAMES.copy()
    landmarks[1, 8] = (100, 2000)
    with pytest.raises(LandmarksUnusable, match=r"Point 8 of frame 1 .* \(100, 2000\)"):
        check_place(landmarks, (512, 512))
