import numpy as np
import pytest
import torch

from models.speech_to_landmarks.speech_encoder import SpeechEncoder, SpeechEncoderConfig
from models.training.stage_one.lip_windows import (
    LONG,
    MIRRORED,
    SHORT,
    LipSampler,
    mirror,
    silence,
    silent_clip,
)
from tests.unit.models.training.tiny_speech import speech_clip
from tests.unit.models.typical_face import normal_face


def sampler() -> LipSampler:
    clips = [speech_clip(f"g{i}", 75) for i in range(40)]
    clips += [speech_clip(f"w{i}", 28, "words") for i in range(3)]
    silence = [speech_clip("silence", 100)]
    return LipSampler(clips, silence, np.random.default_rng(0))


@pytest.mark.parametrize("length", [SHORT, LONG])
def test_windows_hold_two_states_a_frame(length: int) -> None:
    batch = sampler().draw(5, length)
    assert batch.states.shape[:2] == (5, 2 * length)
    assert batch.motion.shape == (5, length, 79, 2)


def test_states_and_motion_are_cut_at_the_same_place() -> None:
    batch = sampler().draw(30, SHORT)
    said = batch.states[:, ::2].mean(-1)
    moved = batch.motion[:, :, 66, 1]
    assert torch.corrcoef(torch.stack([moved.flatten(), said.flatten()]))[0, 1] > 0.8


def test_a_set_of_few_clips_is_not_drowned() -> None:
    lips = sampler()
    drawn = [lips._clip(SHORT).set for _ in range(300)]
    assert 0.2 < drawn.count("words") / 300 < 0.45


def test_a_mirror_twice_is_no_mirror() -> None:
    motion = torch.randn(3, 79, 2)
    torch.testing.assert_close(mirror(mirror(motion)), motion)


def test_a_symmetric_face_looks_the_same_in_a_mirror() -> None:
    face = torch.from_numpy(normal_face())
    torch.testing.assert_close(mirror(face), face, atol=1e-5, rtol=0.0)
    assert sorted(MIRRORED) == list(range(79))


def test_in_silence_the_mouth_rests() -> None:
    encoder = SpeechEncoder(SpeechEncoderConfig(width=24, heads=2, layers=1)).eval()
    rng = np.random.default_rng(0)
    for clip in (silent_clip(silence(rng), encoder) for _ in range(2)):
        assert len(clip.states) == 2 * len(clip.motion)
        assert not clip.motion.any()
