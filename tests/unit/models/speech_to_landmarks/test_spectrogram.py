import numpy as np
import pytest
import torch

from media.audio import SAMPLE_RATE
from models.speech_to_landmarks.prosody import CHANNELS, prosody, track_pitch
from models.speech_to_landmarks.spectrogram import MELS, log_mel_spectrogram, mel_filters


def tone(hertz: float, seconds: float = 1.0) -> torch.Tensor:
    time = torch.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    return 0.5 * torch.sin(2 * np.pi * hertz * time)


def test_spectrogram_has_a_column_each_10_ms() -> None:
    assert log_mel_spectrogram(tone(440.0, 0.5)).shape == (MELS, 50)


def test_a_higher_tone_fills_a_higher_band() -> None:
    bands = [int(log_mel_spectrogram(tone(hertz)).mean(1).argmax()) for hertz in (200, 1000, 5000)]
    assert bands == sorted(set(bands))


def test_spectrogram_stays_within_two_of_its_maximum() -> None:
    mel = log_mel_spectrogram(tone(440.0))
    assert mel.max() - mel.min() <= 2.0 + 1e-6


def test_every_mel_filter_covers_some_frequency() -> None:
    assert (mel_filters().sum(1) > 0).all()


@pytest.mark.parametrize("hertz", [90.0, 180.0, 350.0])
def test_pitch_is_tracked_in_octaves_about_the_median(hertz: float) -> None:
    sound = torch.cat([tone(hertz, 1.0), tone(hertz * 2**0.25, 0.8)])
    pitch, voicing = track_pitch(sound, 180)
    assert pitch[5:90].abs().max() < 0.05
    assert torch.allclose(pitch[110:170], torch.tensor(0.25), atol=0.06)
    assert voicing[5:90].min() > 0.7


def test_noise_has_no_pitch() -> None:
    noise = torch.randn(SAMPLE_RATE, generator=torch.Generator().manual_seed(0))
    pitch, voicing = track_pitch(noise, 100)
    assert (voicing < 0.5).float().mean() > 0.9
    assert (pitch == 0).float().mean() > 0.9


def test_prosody_of_silence_is_finite() -> None:
    features = prosody(torch.zeros(6400))
    assert features.shape == (CHANNELS, 40)
    assert torch.isfinite(features).all()


def test_prosody_does_not_depend_on_loudness() -> None:
    quiet, loud = prosody(0.2 * tone(220.0)), prosody(0.8 * tone(220.0))
    assert torch.allclose(quiet, loud, atol=0.05)
