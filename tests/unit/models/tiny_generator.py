"""Stage one with tiny random networks: fast, with the shapes of the real one."""

import numpy as np
import torch
from numpy.typing import NDArray

from media.audio import SAMPLES_PER_FRAME, num_frames
from models.face.landmarks import NUM_LANDMARKS
from models.speech_to_landmarks.emotion_encoder import EmotionEncoderConfig
from models.speech_to_landmarks.landmark_generator import LandmarkGenerator
from models.speech_to_landmarks.landmark_network import LandmarkNetwork, LandmarkNetworkConfig
from models.speech_to_landmarks.speech_encoder import SpeechEncoder, SpeechEncoderConfig
from models.speech_to_landmarks.speech_motion import SpeechMotionConfig
from models.speech_to_landmarks.voice_activity import VoiceActivity, VoiceActivityConfig

TINY = LandmarkNetworkConfig(
    speech=SpeechMotionConfig(states=24, width=16, hidden=8, heads=2, components=4),
    emotion=EmotionEncoderConfig(states=24, width=16, embedding=8, window=25),
    emotion_components=3,
)


class HearsVoice(VoiceActivity):
    """Counts everything but digital silence as speech."""

    def listen(self, waveform: NDArray[np.float32]) -> NDArray[np.float32]:
        whole = np.zeros(num_frames(waveform) * SAMPLES_PER_FRAME, np.float32)
        kept = min(len(waveform), len(whole))
        whole[:kept] = waveform[:kept]
        loudest = np.abs(whole).reshape(-1, SAMPLES_PER_FRAME).max(axis=1)
        return np.sign(loudest)


def tiny_network() -> LandmarkNetwork:
    """Return a random network with non-zero bases and head motion."""
    torch.manual_seed(0)
    network = LandmarkNetwork(TINY)
    network.speech_basis.normal_(std=0.05)
    network.emotion_basis.normal_(std=0.05)
    network.pose_mixing.copy_(0.02 * torch.eye(6))
    network.pose_tempo.fill_(6.0)
    assert network.speech_basis.shape[1] == NUM_LANDMARKS
    return network.eval()


def tiny_generator() -> LandmarkGenerator:
    """Return a generator around `tiny_network`."""
    network = tiny_network()
    encoder = SpeechEncoder(SpeechEncoderConfig(width=24, heads=2, layers=1)).eval()
    return LandmarkGenerator(encoder, network, HearsVoice(VoiceActivityConfig()))
