import numpy as np
import pytest

from media.audio import SAMPLE_RATE, num_frames
from models.training.stage_one.speech_input import MelInput
from tests.media import babble


@pytest.mark.parametrize("seconds", [0.0, 0.01, 0.5, 1.23])
def test_mel_gives_two_states_a_video_frame(seconds: float) -> None:
    waveform = np.ones(round(seconds * SAMPLE_RATE), np.float32)
    states = MelInput().encode(waveform)
    assert states.shape == (2 * num_frames(waveform), 160)


def test_mel_is_the_same_however_loud_the_speech() -> None:
    speech = babble(1.0)
    loud, quiet = (MelInput().encode(np.float32(gain) * speech) for gain in (1.0, 0.3))
    assert (loud - quiet).abs().max() < 1e-3
    assert float(loud.std()) == pytest.approx(1.0, abs=0.05)


def test_silence_is_flat() -> None:
    assert MelInput().encode(np.zeros(SAMPLE_RATE, np.float32)).abs().max() < 1e-5
