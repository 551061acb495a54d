import subprocess
import sys

import numpy as np
import pytest

from media.faces.landmarks import FACE_MESH, NUM_LANDMARKS, eye_midpoint, interocular, smooth
from tests.media import face_landmarks


def test_every_landmark_has_its_own_mesh_vertex() -> None:
    assert len(FACE_MESH) == len(set(FACE_MESH)) == NUM_LANDMARKS


def test_interocular_and_midpoint_are_measured_on_the_eyes() -> None:
    faces = np.stack([face_landmarks(100, 50, 40), face_landmarks(90, 60, 20, roll=30)])
    np.testing.assert_allclose(interocular(faces), (40, 20), rtol=0.01)
    np.testing.assert_allclose(eye_midpoint(faces), ((100, 50), (90, 60)), atol=1e-3)


def test_smoothing_keeps_slow_motion_and_takes_out_jitter() -> None:
    time = np.arange(50, dtype=np.float32)
    motion = np.stack([np.sin(time / 8), time**2 / 500], axis=-1)
    np.testing.assert_allclose(smooth(motion)[2:-2], motion[2:-2], atol=5e-3)
    noise = np.random.default_rng(0).normal(size=(2000, 2)).astype(np.float32)
    assert smooth(noise).std() == pytest.approx(np.sqrt(17 / 35), abs=0.03)


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_the_shortest_track_can_be_smoothed(frames: int) -> None:
    still = np.repeat(face_landmarks(100, 50, 40)[None], frames, axis=0)
    np.testing.assert_allclose(smooth(still), still, rtol=1e-5)


def test_the_layout_needs_no_mediapipe() -> None:
    check = "import sys, media.faces.landmarks; sys.exit('mediapipe' in sys.modules)"
    subprocess.run([sys.executable, "-c", check], check=True)
