import numpy as np
import pytest
from numpy.typing import NDArray

from media.audio import SAMPLES_PER_FRAME
from models.metrics.definitions import correlate, lip_opening
from models.metrics.lip_sync import IN_SYNC, LipSync, speech_envelope
from tests.media import face_landmarks


def syllables(frames: int, seed: int = 0) -> NDArray[np.float32]:
    """Return a loudness track `[T]`, 0 to 1, of irregular syllables and pauses."""
    random = np.random.default_rng(seed)
    rough = random.uniform(0, 1, frames // 4 + 2) * (random.uniform(0, 1, frames // 4 + 2) > 0.2)
    return np.interp(np.arange(frames), 4 * np.arange(len(rough)), rough).astype(np.float32)


def voice(loudness: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a 16 kHz buzz whose loudness follows a track `[T]`."""
    time = np.arange(len(loudness) * SAMPLES_PER_FRAME)
    smooth = np.interp(time / SAMPLES_PER_FRAME - 0.5, np.arange(len(loudness)), loudness)
    buzz = sum(np.sin(2 * np.pi * 140 * h * time / 16_000) / h for h in range(1, 12))
    return (0.3 * smooth * buzz).astype(np.float32)


def talking_face(opening: NDArray[np.float32], interocular: float = 60) -> NDArray[np.float32]:
    """Return landmarks `[T, 79, 2]` whose lower lip drops by a track `[T]` of inter-oculars."""
    face = np.repeat(face_landmarks(128, 103, interocular)[None], len(opening), axis=0)
    face[:, [67, 66, 65]] = face[:, [61, 62, 63]]
    face[:, [67, 66, 65], 1] += opening[:, None] * interocular
    return face


def test_the_opening_is_measured_in_inter_oculars() -> None:
    opening = np.linspace(0, 0.4, 30).astype(np.float32)
    for interocular in (30, 60):
        measured = lip_opening(talking_face(opening, interocular))
        np.testing.assert_allclose(measured, opening, atol=2e-3)


def test_the_envelope_has_one_value_a_frame_and_follows_the_loudness() -> None:
    loudness = syllables(100)
    envelope = speech_envelope(voice(loudness))
    assert envelope.shape == (100,)
    assert np.corrcoef(envelope, np.log(loudness + 0.02))[0, 1] > 0.95


@pytest.mark.parametrize("extra", [-300, 0, 300])
def test_the_envelope_is_as_long_as_the_video(extra: int) -> None:
    waveform = np.pad(voice(syllables(50)), (0, 400))[: 50 * SAMPLES_PER_FRAME + extra]
    assert len(speech_envelope(waveform)) == 50


def test_hiss_does_not_count_as_an_open_mouth() -> None:
    time = np.arange(32_000) / 16_000
    hiss = np.where(time < 1, np.sin(2 * np.pi * 6000 * time), 0)
    vowel = np.where(time >= 1, 0.3 * np.sin(2 * np.pi * 500 * time), 0)
    envelope = speech_envelope((hiss + vowel).astype(np.float32))
    assert envelope[30:].mean() > envelope[:20].mean() + 20


@pytest.mark.parametrize("lag", [-3, -1, 0, 2])
def test_the_sign_of_the_lag_shows_which_one_trails(lag: int) -> None:
    loudness = syllables(120)
    opening = lip_opening(talking_face(0.3 * np.roll(loudness, lag)))
    correlation, found = correlate(opening, speech_envelope(voice(loudness)))
    assert found == lag
    assert correlation > 0.8


def test_a_still_mouth_correlates_with_nothing() -> None:
    still = lip_opening(talking_face(np.full(75, 0.1, np.float32)))
    assert correlate(still, speech_envelope(voice(syllables(75))))[0] == pytest.approx(0, abs=0.3)
    assert correlate(np.zeros(75, np.float32), syllables(75))[0] == 0


def test_shuffled_frames_are_out_of_sync_and_ordered_ones_are_in() -> None:
    random = np.random.default_rng(1)
    for seed in range(20):
        loudness = syllables(75, seed)
        jitter = random.normal(0, 0.02, 75).astype(np.float32)
        opening = lip_opening(talking_face(0.3 * loudness + jitter))
        envelope = speech_envelope(voice(loudness))
        assert LipSync(*correlate(opening, envelope), 0.3).in_sync
        assert correlate(random.permutation(opening), envelope)[0] < IN_SYNC


def test_lips_that_hardly_move_are_not_in_sync_however_well_they_correlate() -> None:
    assert LipSync(correlation=0.9, lag=0, opening_range=0.2).in_sync
    assert not LipSync(correlation=0.9, lag=0, opening_range=0.01).in_sync
    assert not LipSync(correlation=0.2, lag=0, opening_range=0.2).in_sync


@pytest.mark.parametrize("frames", [1, 2, 5])
def test_the_shortest_clips_are_measured(frames: int) -> None:
    correlation, lag = correlate(syllables(frames), syllables(frames, seed=1))
    assert -1 <= correlation <= 1
    assert abs(lag) <= frames // 4
