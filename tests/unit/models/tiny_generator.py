"""Stage one with tiny random networks: fast, and of the shapes that the real one has."""

import torch

from models.face.landmarks import NUM_LANDMARKS
from models.speech_to_landmarks.emotion_encoder import EmotionEncoderConfig
from models.speech_to_landmarks.landmark_generator import LandmarkGenerator
from models.speech_to_landmarks.landmark_network import LandmarkNetwork, LandmarkNetworkConfig
from models.speech_to_landmarks.speech_encoder import SpeechEncoder, SpeechEncoderConfig
from models.speech_to_landmarks.speech_motion import SpeechMotionConfig

TINY = LandmarkNetworkConfig(
    speech=SpeechMotionConfig(states=24, width=16, hidden=8, heads=2, components=4),
    emotion=EmotionEncoderConfig(states=24, width=16, embedding=8, window=25),
    emotion_components=3,
)


def tiny_network() -> LandmarkNetwork:
    """Return a random network whose bases and head motion are not zero."""
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
    return LandmarkGenerator(encoder, network)
