import numpy as np
import pytest

from media.audio import SAMPLE_RATE
from models.training.common.augmentation import add_noise, change_speed, coloured_noise, reverberate

TONE = np.sin(2 * np.pi * 220 * np.arange(SAMPLE_RATE) / SAMPLE_RATE).astype(np.float32)


@pytest.mark.parametrize("speed", [0.9, 1.0, 1.1])
def test_speed_shortens_sound_and_landmarks_alike(speed: float) -> None:
    landmarks = np.zeros((25, 79, 2), np.float32)
    assert len(change_speed(TONE, speed)) == round(SAMPLE_RATE / speed)
    assert len(change_speed(landmarks, speed)) == round(25 / speed)


def test_speed_keeps_events_in_step() -> None:
    ramp = np.linspace(0, 1, 1000, dtype=np.float32)
    assert change_speed(ramp, 1.25)[400] == pytest.approx(0.5, abs=0.01)


def test_noise_has_the_ratio_asked_for() -> None:
    noise = add_noise(TONE, 10.0, np.random.default_rng(0)) - TONE
    assert 10 * np.log10((TONE**2).mean() / (noise**2).mean()) == pytest.approx(10.0, abs=0.5)


def test_a_steeper_slope_darkens_noise() -> None:
    bright, dark = (
        np.abs(np.diff(coloured_noise(8000, slope, np.random.default_rng(0)))).mean()
        for slope in (0.0, 1.0)
    )
    assert dark < 0.3 * bright


def test_a_room_keeps_length_and_the_direct_sound() -> None:
    wet = reverberate(TONE, 0.3, np.random.default_rng(0))
    assert wet.shape == TONE.shape
    assert np.corrcoef(wet, TONE)[0, 1] > 0.8
