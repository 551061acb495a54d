from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from media.audio import SAMPLE_RATE, num_frames, read_waveform
from models.speech_to_landmarks.voice_activity import VoiceActivity

EXAMPLE = Path(__file__).parents[4] / "examples" / "speech.wav"
RAISED = 2.2
"""How much faster a voice is played, and so higher."""
TIME = np.arange(4 * SAMPLE_RATE) / SAMPLE_RATE


@pytest.fixture(scope="module")
def network() -> VoiceActivity:
    return VoiceActivity.load("cpu")


@pytest.fixture(scope="module")
def speech() -> NDArray[np.float32]:
    return read_waveform(EXAMPLE)


def music() -> NDArray[np.float64]:
    """Return four notes of a major chord with overtones, struck twice per second."""
    tones = [np.sin(2 * np.pi * f * h * TIME) / h for f in (220, 277, 330, 440) for h in (1, 2, 3)]
    struck: NDArray[np.float64] = 0.05 * np.sum(tones, axis=0) * np.exp(-4 * (TIME % 0.5))
    return struck


def test_speech_is_distinguished_from_pauses(
    network: VoiceActivity, speech: NDArray[np.float32]
) -> None:
    rest = np.zeros(2 * SAMPLE_RATE, np.float32)
    voice = network.listen(np.concatenate([rest, speech, rest]))
    spoken = voice[50 : 50 + num_frames(speech)]
    assert (spoken > 0.5).mean() > 0.75
    assert max(voice[:45].max(), voice[-40:].max()) < 0.2


@pytest.mark.parametrize(
    "sound",
    [
        np.zeros_like(TIME),
        0.1 * np.random.default_rng(0).standard_normal(len(TIME)),
        0.2 * np.sin(2 * np.pi * 50 * TIME) + 0.1 * np.sin(2 * np.pi * 100 * TIME),
        music(),
    ],
    ids=["silence", "noise", "hum", "music"],
)
def test_sounds_other_than_voices_are_not_speech(
    network: VoiceActivity, sound: NDArray[np.float64]
) -> None:
    assert network.listen(sound.astype(np.float32)).max() < 0.5


def test_speech_in_noise_is_still_speech(
    network: VoiceActivity, speech: NDArray[np.float32]
) -> None:
    noise = np.random.default_rng(0).standard_normal(len(speech)).astype(np.float32)
    noisy = speech + 0.1 * speech.std() * noise
    assert (network.listen(noisy) > 0.5).mean() > 0.6


def test_high_voices_are_speech(network: VoiceActivity, speech: NDArray[np.float32]) -> None:
    times = np.arange(0, len(speech) - 1, RAISED)
    raised = np.interp(times, np.arange(len(speech)), speech).astype(np.float32)
    assert (network.listen(raised) > 0.5).mean() > 0.75


@pytest.mark.parametrize("samples", [0, 1, 100, 511, 512, 70_001])
def test_any_length_has_a_probability_a_frame(network: VoiceActivity, samples: int) -> None:
    voice = network.listen(np.full(samples, 0.01, np.float32))
    assert voice.shape == (num_frames(np.zeros(samples, np.float32)),)
    assert ((voice >= 0) & (voice <= 1)).all()
