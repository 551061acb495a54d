"""Stage one: speech to the motion of a face, both lips and emotion."""

from typing import Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from media.audio import SAMPLES_PER_FRAME, num_frames
from media.emotions import EMOTIONS, Emotion
from models.checkpoints import load_checkpoint
from models.face.landmark_motion import (
    LandmarkMotion,
    draw_blinks,
    draw_gaze,
    draw_head_motion,
    hold_head,
    lip_closure,
)
from models.face.retargeting import lip_gaps
from models.manifest import WEIGHTS
from models.speech_to_landmarks.emotion_encoder import PROSODY_PER_FRAME, HeardEmotion
from models.speech_to_landmarks.facial_action import (
    FacialAction,
    hold_strength,
    shown_as_asked,
    shown_as_heard,
)
from models.speech_to_landmarks.landmark_network import LandmarkNetwork, LandmarkNetworkConfig
from models.speech_to_landmarks.pauses import Pauses
from models.speech_to_landmarks.prosody import prosody
from models.speech_to_landmarks.speech_encoder import (
    STATES_PER_FRAME,
    SpeechEncoder,
    level,
    windows,
)
from models.speech_to_landmarks.voice_activity import VoiceActivity

EMPHASIS = 1.1
"""Factor for the speech motion: trained on many mouths, the network draws nearly their mean, which
moves less than any of them. Without it, the lips of presenters open .92 and those of people in the
wild .79 times as far as filmed, with it 1.02 and .87 times.
"""
HEARD_GAIN = 1.4
"""Factor for a detected emotion: in doubt, the network shows less than was meant."""
MOST_HEARD = 1.1
"""Strength beyond which no heard emotion is shown."""
WINDOW = 250
"""Number of video frames kept from one pass of the network: 10 s."""
CONTEXT = 50
"""Number of context frames on either side that a pass sees and drops."""


class LandmarkGenerator:
    """The frozen speech encoder and the trained network behind one call."""

    def __init__(
        self,
        encoder: SpeechEncoder,
        network: LandmarkNetwork,
        voice: VoiceActivity,
        action: FacialAction,
    ) -> None:
        self.encoder = encoder
        self.network = network.eval()
        self.voice = voice.eval()
        self.action = action.eval()

    @classmethod
    def load(cls, device: torch.device | str) -> Self:
        """Return the shipped generator.

        Raises:
            CheckpointError: a weights file is missing or damaged.
        """
        state, sizes = load_checkpoint(WEIGHTS / "landmark_generator.safetensors")
        network = LandmarkNetwork(LandmarkNetworkConfig.from_sizes(sizes))
        network.load_state_dict(state)
        return cls(
            SpeechEncoder.load(device),
            network.to(device),
            VoiceActivity.load(device),
            FacialAction.load(device),
        )

    @torch.inference_mode()
    def generate(
        self,
        waveform: NDArray[np.float32],
        *,
        emotion: Emotion | None = None,
        intensity: float = 1.0,
        seed: int = 0,
        blink: bool = True,
        pose: Literal["still", "natural"] = "natural",
    ) -> LandmarkMotion:
        """Return the motion for the speech, at 25 frames per second.

        The same speech and seed give the same motion.

        Args:
            waveform: `[N]` samples in [-1, 1] at 16 kHz, of any length.
            emotion: what the face shows; None shows the emotion heard in the voice.
            intensity: how strongly, 0 (not at all) to 2; at 0 the face moves as in neutral speech.
            seed: of what speech does not determine: the style of acting, the movement of brows,
                lids and cheeks around the emotion heard, blinks and head motion.
            blink: whether the eyes blink.
            pose: whether the head moves, and takes the posture of its emotion.
        """
        frames = num_frames(waveform)
        states = self.encoder.encode(waveform)[None]
        sound = framed_prosody(waveform, states.device)
        heard = self._hear(sound, states)
        voice = self.voice.listen(waveform)
        pauses = Pauses.of(voice)
        probabilities, shown = self._carry(heard, pauses)
        if emotion is not None:
            shown = shown_as_asked(emotion, frames).to(shown)
        shown = intensity * shown
        spoken = self.action.articulate(self._speak(states), sound, shown)
        acted = self.action.act(states[0], sound, shown, seed)
        # Each its own, so that a head moves the same with and without blinks; with the length, or
        # all clips of a portrait would begin with the same movement.
        blinking, moving, looking, leaning = (
            np.random.default_rng([seed, frames, n]) for n in range(4)
        )
        lids = draw_blinks(frames, blinking, voice) if blink else np.zeros(frames, np.float32)
        moves = self._move_head(frames, moving, pose)
        if pose == "natural":
            moves += hold_head(hold_strength(shown).cpu().numpy(), leaning)
        return LandmarkMotion(
            displacement=(spoken + acted).cpu().numpy(),
            lids=lids,
            pose=moves,
            emotions=probabilities.cpu().numpy(),
            heard=self._overall(heard, pauses).cpu().numpy(),
            closure=lip_closure(lip_gaps(spoken.cpu().numpy()).mean(axis=-1)),
            gaze=None if pose == "still" else draw_gaze(moves, looking),
        )

    def _speak(self, states: Tensor) -> Tensor:
        """Return the speech motion `[T, 79, 2]` of states `[1, 2T, C]`, window by window."""
        pieces = []
        for span in windows(states.shape[1] // STATES_PER_FRAME, WINDOW, CONTEXT):
            seen = states[:, STATES_PER_FRAME * span.begin : STATES_PER_FRAME * span.end]
            motion = EMPHASIS * self.network.speech_motion(seen)[0]
            pieces.append(motion[span.start - span.begin : span.stop - span.begin])
        return torch.cat(pieces)

    def _hear(self, sound: Tensor, states: Tensor) -> HeardEmotion:
        """Return the emotion heard in prosody `[163, 4T]` and states `[1, 2T, C]`, in windows.

        Its fields have no batch: embeddings `[T, 64]`, logits `[T, 8]`, strengths `[T]`.
        """
        pieces = []
        for span in windows(states.shape[1] // STATES_PER_FRAME, WINDOW, CONTEXT):
            heard = self.network.heard_emotion(
                sound[None, :, PROSODY_PER_FRAME * span.begin : PROSODY_PER_FRAME * span.end],
                states[:, STATES_PER_FRAME * span.begin : STATES_PER_FRAME * span.end],
            )
            kept = slice(span.start - span.begin, span.stop - span.begin)
            pieces.append([field[0, kept] for field in heard])
        return HeardEmotion(*(torch.cat(field) for field in zip(*pieces, strict=True)))

    def _carry(self, heard: HeardEmotion, pauses: Pauses) -> tuple[Tensor, Tensor]:
        """Return probabilities `[T, 8]` and how strongly each emotion is shown `[T, 8]`.

        Both are carried over pauses, and neutral in long ones.
        """
        probabilities = heard.logits.softmax(-1)
        strength = (HEARD_GAIN * heard.strength).clamp(max=MOST_HEARD)
        shown = shown_as_heard(probabilities, strength)
        nothing = torch.zeros_like(shown[0])
        return pauses.carry(probabilities, _neutral(nothing)), pauses.carry(shown, nothing)

    def _overall(self, heard: HeardEmotion, pauses: Pauses) -> Tensor:
        """Return the probabilities `[8]` for the whole recording."""
        probabilities = heard.logits.softmax(-1)
        return pauses.overall(probabilities, _neutral(probabilities[0]))

    def _move_head(
        self, frames: int, rng: np.random.Generator, pose: Literal["still", "natural"]
    ) -> NDArray[np.float32]:
        mixing = self.network.pose_mixing.cpu().numpy()
        if pose == "still":
            return np.zeros((frames, len(mixing)), np.float32)
        return draw_head_motion(frames, mixing, self.network.pose_tempo.cpu().numpy(), rng)


def framed_prosody(waveform: NDArray[np.float32], device: torch.device | str = "cpu") -> Tensor:
    """Return prosody `[163, 4T]` of a waveform `[N]`, T its video frames."""
    whole = np.zeros(num_frames(waveform) * SAMPLES_PER_FRAME, np.float32)
    kept = min(len(waveform), len(whole))
    whole[:kept] = level(waveform[:kept])
    return prosody(torch.from_numpy(whole).to(device))


def _neutral(like: Tensor) -> Tensor:
    """Return probabilities `[8]` of nothing but neutral."""
    neutral = torch.zeros_like(like)
    neutral[EMOTIONS.index(Emotion.NEUTRAL)] = 1.0
    return neutral
