"""Acted emotional speech for training stage one: prosody and encoder states with a label.

`python -m models.training.stage_one.emotional_speech --data DIR --out CACHE` prepares it once from
`speech/labels.csv` (columns file, corpus, speaker, emotion, intensity; split if present).
"""

import argparse
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from media.audio import read_waveform
from media.emotions import EMOTIONS, Emotion
from media.faces.landmarks import NUM_LANDMARKS
from media.files import written_whole
from models.corpus.recordings import HELD_OUT_SPEAKERS, list_recordings
from models.speech_to_landmarks.emotion_encoder import PROSODY_PER_FRAME
from models.speech_to_landmarks.landmark_generator import framed_prosody
from models.speech_to_landmarks.speech_encoder import STATES_PER_FRAME
from models.training.common.augmentation import change_speed, disturb
from models.training.stage_one.speech_input import INPUTS, Input, SpeechInput, open_speech_input

PLAIN_SHARE = 0.06
"""Share of examples without acting: presenters' speech, silence and noise."""
CLEAN = "emotional_clean.pt"
DISTURBED = "emotional_disturbed.pt"
CROP = 75
"""Video frames of a training example."""


@dataclass(frozen=True)
class EmotionalClip:
    """One recording: prosody `[163, 4T]` and states `[2T, 384]` in float16, and its label.

    `face` is how the same take moved the face, `[T, 79, 2]` in inter-ocular units, if known.
    """

    speaker: str
    emotion: Emotion
    strength: float
    prosody: Tensor
    states: Tensor
    held_out: bool = False
    face: Tensor | None = None


@dataclass(frozen=True)
class EmotionBatch:
    """`[B, 163, 300]`, `[B, 150, 384]`, `[B]` indices into EMOTIONS and `[B]` strengths 0 to 1.

    `faces` `[B, 75, 79, 2]` are those of the same takes where `paired` `[B]`, elsewhere zero.
    """

    prosody: Tensor
    states: Tensor
    labels: Tensor
    strengths: Tensor
    faces: Tensor
    paired: Tensor

    def to(self, device: torch.device) -> Self:
        """Return the batch on a device."""
        return type(self)(**{name: part.to(device) for name, part in vars(self).items()})


class EmotionSampler:
    """Draws crops, with equal probability for each emotion, and masks bands and stretches
    (SpecAugment).
    """

    def __init__(
        self,
        acted: Sequence[EmotionalClip],
        plain: Sequence[EmotionalClip],
        rng: np.random.Generator,
    ) -> None:
        self.clips = [*acted, *plain]
        self.rng = rng
        counts = Counter(clip.emotion for clip in acted)
        shares = np.array([1.0 / counts[clip.emotion] for clip in acted])
        self._shares = shares / shares.sum()
        if plain:
            rest = np.full(len(plain), PLAIN_SHARE / len(plain))
            self._shares = np.concatenate([(1.0 - PLAIN_SHARE) * self._shares, rest])

    def draw(self, count: int) -> EmotionBatch:
        """Return a batch of `count` examples."""
        chosen = [self.clips[i] for i in self.rng.choice(len(self.clips), count, p=self._shares)]
        crops = [self._crop(clip) for clip in chosen]
        return EmotionBatch(
            prosody=torch.stack([crop[0] for crop in crops]),
            states=torch.stack([crop[1] for crop in crops]),
            labels=torch.tensor([EMOTIONS.index(clip.emotion) for clip in chosen]),
            strengths=torch.tensor([clip.strength for clip in chosen]),
            faces=torch.stack([crop[2] for crop in crops]),
            paired=torch.tensor([clip.face is not None for clip in chosen]),
        )

    def _crop(self, clip: EmotionalClip) -> tuple[Tensor, Tensor, Tensor]:
        frames = len(clip.states) // STATES_PER_FRAME
        start = int(self.rng.integers(0, max(1, frames - CROP + 1)))
        sound = clip.prosody[:, PROSODY_PER_FRAME * start :][:, : PROSODY_PER_FRAME * CROP].float()
        states = clip.states[STATES_PER_FRAME * start :][: STATES_PER_FRAME * CROP].float()
        sound = F.pad(sound, (0, PROSODY_PER_FRAME * CROP - sound.shape[1]))
        states = F.pad(states, (0, 0, 0, STATES_PER_FRAME * CROP - len(states)))
        return self._hide(sound), states, _crop_face(clip.face, start)

    def _hide(self, sound: Tensor) -> Tensor:
        """Mask one band of up to 12 channels and one stretch of up to 0.4 s."""
        band, stretch = self.rng.integers(0, 70), self.rng.integers(0, sound.shape[1] - 40)
        sound[band : band + self.rng.integers(0, 12)] = 0.0
        sound[:, stretch : stretch + self.rng.integers(0, 40)] = 0.0
        return sound


def _crop_face(face: Tensor | None, start: int) -> Tensor:
    """Return the frames of a crop `[75, 79, 2]`, the last one held; zero without a face."""
    if face is None:
        return torch.zeros(CROP, NUM_LANDMARKS, 2)
    return face[torch.arange(start, start + CROP).clamp(max=len(face) - 1)].float()


def split_speakers(
    clips: Sequence[EmotionalClip],
) -> tuple[list[EmotionalClip], list[EmotionalClip]]:
    """Return the clips for training and those of held-out speakers."""
    held_out = [clip for clip in clips if clip.held_out or clip.speaker in HELD_OUT_SPEAKERS]
    speakers = {clip.speaker for clip in held_out}
    return [clip for clip in clips if clip.speaker not in speakers], held_out


def read_emotional_speech(
    data: Path, encoder: SpeechInput, rng: np.random.Generator | None = None
) -> Iterator[EmotionalClip]:
    """Yield all labelled recordings; with `rng`, those for training, each augmented at random."""
    for recording in list_recordings(data):
        if rng is not None and recording.held_out:
            continue
        waveform = read_waveform(recording.path)
        if rng is not None:
            waveform = disturb(change_speed(waveform, rng.uniform(0.93, 1.07)), rng)
        yield EmotionalClip(
            speaker=recording.speaker,
            emotion=recording.emotion,
            strength=recording.strength,
            prosody=framed_prosody(waveform).half(),
            states=encoder.encode(waveform).half(),
            held_out=recording.held_out,
        )


def neutral_recording(
    speaker: str, waveform: NDArray[np.float32], encoder: SpeechInput
) -> EmotionalClip:
    """Return a waveform without emotion as a training example."""
    states = encoder.encode(waveform).half()
    return EmotionalClip(speaker, Emotion.NEUTRAL, 0.0, framed_prosody(waveform).half(), states)


def main() -> None:
    """Parse the command line and write the caches."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--speech", choices=INPUTS, default="whisper")
    options = parser.parse_args()
    prepare(options.data, options.out, options.speech)


def prepare(data: Path, out: Path, speech: Input = "whisper") -> None:
    """Write the recordings unchanged and, for training, augmented; each file atomically."""
    out.mkdir(parents=True, exist_ok=True)
    encoder = open_speech_input(speech)
    save_recordings(out / CLEAN, read_emotional_speech(data, encoder))
    disturbed = read_emotional_speech(data, encoder, np.random.default_rng(0))
    save_recordings(out / DISTURBED, disturbed)


def save_recordings(path: Path, clips: Iterable[EmotionalClip]) -> None:
    """Write recordings as plain tensors, numbers and strings."""
    with written_whole(path) as partial:
        torch.save([vars(clip) | {"emotion": str(clip.emotion)} for clip in clips], partial)


def load_recordings(path: Path) -> list[EmotionalClip]:
    """Read files written by `save_recordings`."""
    return [
        EmotionalClip(**fields | {"emotion": Emotion(fields["emotion"])})
        for fields in torch.load(path)
    ]


if __name__ == "__main__":
    main()
