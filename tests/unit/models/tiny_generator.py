"""Stage one with tiny random networks: fast, with the shapes of the real one."""

import numpy as np
import torch
from numpy.typing import NDArray

from media.audio import SAMPLES_PER_FRAME, num_frames
from media.emotions import EMOTIONS, Emotion
from media.faces.landmarks import NUM_LANDMARKS
from models.speech_to_landmarks.action_unit_flow import ActionUnitFlowConfig
from models.speech_to_landmarks.emotion_encoder import EmotionEncoderConfig
from models.speech_to_landmarks.facial_action import FacialAction, FacialActionConfig
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
        return np.asarray(np.sign(loudest), np.float32)


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


def tiny_action() -> FacialAction:
    """Return a random way of acting whose units move every point and keep the lips together."""
    torch.manual_seed(1)
    flow = ActionUnitFlowConfig(states=24, content=4, styles=2, width=8, dilations=(1, 2))
    action = FacialAction(FacialActionConfig(flow, people=2))
    torch.nn.init.normal_(action.flow.leave.weight, std=0.1)
    action.basis.normal_(std=0.02)
    action.basis[:, :, 60:68] = action.basis[:, :, 60:61]
    action.looks.normal_(std=0.05)
    action.looks[:, :, 60:68] = action.looks[:, :, 60:61]
    action.looks[:, EMOTIONS.index(Emotion.NEUTRAL)] = 0.0
    action.spreads.fill_(0.3)
    action.flow.tempo.fill_(3.0)
    return action.eval()


def tiny_generator() -> LandmarkGenerator:
    """Return a generator around `tiny_network`."""
    network = tiny_network()
    encoder = SpeechEncoder(SpeechEncoderConfig(width=24, heads=2, layers=1)).eval()
    return LandmarkGenerator(encoder, network, HearsVoice(VoiceActivityConfig()), tiny_action())
