import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from media.audio import SAMPLES_PER_FRAME
from models.speech_to_landmarks import speech_encoder
from models.speech_to_landmarks.speech_encoder import (
    SpeechEncoder,
    SpeechEncoderConfig,
    level,
    sinusoids,
    windows,
)


@pytest.fixture
def encoder() -> SpeechEncoder:
    torch.manual_seed(0)
    return SpeechEncoder(SpeechEncoderConfig(width=24, heads=2, layers=1)).eval()


def speech(frames: float) -> NDArray[np.float32]:
    rng = np.random.default_rng(0)
    return (0.1 * rng.standard_normal(int(frames * SAMPLES_PER_FRAME))).astype(np.float32)


@pytest.mark.parametrize(("frames", "states"), [(0.1, 2), (1, 2), (7, 14), (30.4, 60), (230, 460)])
def test_any_length_gives_two_states_a_frame(
    encoder: SpeechEncoder, frames: float, states: int
) -> None:
    assert encoder.encode(speech(frames)).shape == (states, 24)


def test_windows_keep_every_step_once() -> None:
    kept = [step for span in windows(1003, 400, 50) for step in range(span.start, span.stop)]
    assert kept == list(range(1003))


def test_windows_see_their_context_and_no_more() -> None:
    spans = list(windows(1003, 400, 50))
    assert [(span.begin, span.end) for span in spans] == [(0, 450), (350, 850), (750, 1003)]


def test_a_windowed_pass_agrees_with_the_whole(
    encoder: SpeechEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Positions differ between the two, so that agreement has a tolerance.
    waveform = speech(100)
    whole = encoder.encode(waveform)
    monkeypatch.setattr(speech_encoder, "WINDOW", 80)
    windowed = encoder.encode(waveform)
    likeness = torch.nn.functional.cosine_similarity(whole, windowed, dim=1)
    assert likeness[:80].min() > 0.95
    assert likeness.mean() > 0.5


def test_a_pass_sees_at_most_a_window_and_its_context(
    encoder: SpeechEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    forward = encoder.forward

    def watch(mel: Tensor) -> Tensor:
        seen.append(mel.shape[-1])
        return forward(mel)

    monkeypatch.setattr(encoder, "forward", watch)
    encoder.encode(speech(1500))
    assert max(seen) <= 2 * (speech_encoder.WINDOW + 2 * speech_encoder.CONTEXT)


def test_level_brings_quiet_speech_up_but_not_silence() -> None:
    quiet, silence = speech(25) * np.float32(0.1), speech(25) * np.float32(1e-4)
    assert np.abs(level(quiet)).max() > 5 * np.abs(quiet).max()
    assert np.abs(level(silence)).max() < 0.01


def test_level_of_nothing_is_nothing() -> None:
    assert len(level(np.zeros(0, np.float32))) == 0


def test_positions_start_with_zero_sines_and_unit_cosines() -> None:
    first = sinusoids(3, 8)[0]
    assert first.tolist() == [0, 0, 0, 0, 1, 1, 1, 1]


def test_the_encoder_does_not_train(encoder: SpeechEncoder) -> None:
    assert not any(parameter.requires_grad for parameter in encoder.parameters())
