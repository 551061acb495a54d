"""Emotion in the picture: what a network sees in faces that were asked to show an emotion.

People kept out, photographed neutral, say one sentence in each emotion that the network knows.
Their photographs, neutral and smiling, show how much it sees in real faces.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from media.emotions import EMOTIONS, Emotion
from media.faces.landmarks import CROP_SIZE
from models.corpus.clips import spread
from models.corpus.portraits import held_out_people, portrait_landmarks, read_portrait
from models.evaluation.fer_network import SEEN, SIDE
from models.evaluation.report import Row, Table
from models.evaluation.scoring_networks import Network, embed
from models.options import SynthesisOptions
from models.pipeline import TalkingFacePipeline

Array = NDArray[np.float32]
Pixels = NDArray[np.uint8]

FACE = slice(0, 68)
"""The landmarks that the judged square surrounds."""
MARGIN = 1.25
"""Side of that square over the longer side of the landmarks' box."""
MOMENTS = 12
"""Number of frames of a video that are judged, evenly spread."""
PHOTOGRAPHS = {Emotion.NEUTRAL: "n", Emotion.HAPPINESS: "s"}
"""Last letter of a photograph's name, by what it shows."""


@dataclass(frozen=True)
class Impression:
    """What the network sees in one person's face: probabilities `[7]` in the order of SEEN."""

    kind: str
    emotion: Emotion
    probabilities: Array

    @property
    def recognized(self) -> bool:
        """Whether the emotion seems more probable than any other."""
        return SEEN[int(self.probabilities.argmax())] is self.emotion

    @property
    def probability(self) -> float:
        """The emotion's probability."""
        return float(self.probabilities[SEEN.index(self.emotion)])


def judge_people(
    pipeline: TalkingFacePipeline, network: Network, data: Path, waveform: Array
) -> list[Impression]:
    """Judge photographs of the people kept out, and their videos with the speech `waveform`."""
    places = portrait_landmarks(data)
    seen = []
    for person in tqdm(sorted(held_out_people(places)), desc="shown emotions"):
        for emotion, letter in PHOTOGRAPHS.items():
            name = f"{person}_{letter}"
            picture = read_portrait(data, name)
            face = face_square(picture, places[name] * (len(picture) / CROP_SIZE))
            seen.append(Impression("photograph", emotion, judge(network, [face])))
        neutral = read_portrait(data, f"{person}_{PHOTOGRAPHS[Emotion.NEUTRAL]}")
        for emotion in (each for each in EMOTIONS if each in SEEN):
            faces = speaking_faces(pipeline, neutral, waveform, emotion)
            seen.append(Impression("video", emotion, judge(network, faces)))
    return seen


def speaking_faces(
    pipeline: TalkingFacePipeline, image: Pixels, waveform: Array, emotion: Emotion
) -> list[Pixels]:
    """Return squares around the face at some moments of a portrait that speaks in an emotion."""
    options = SynthesisOptions(emotion, pose="still", blink=False, resolution=CROP_SIZE)
    said = pipeline(image, waveform, options)
    moments = spread(range(said.num_frames), MOMENTS)
    part = replace(said, landmarks=said.landmarks[moments])
    frames = np.concatenate(list(part.frames()))
    return [
        face_square(frame, points)
        for frame, points in zip(frames, said.placed_landmarks[moments], strict=True)
    ]


def face_square(picture: Pixels, landmarks: Array) -> Pixels:
    """Cut `[64, 64, 3]` around a face out of a picture; landmarks `[79, 2]` in its px."""
    low, high = landmarks[FACE].min(axis=0), landmarks[FACE].max(axis=0)
    reach, (x, y) = MARGIN * float((high - low).max()) / 2, (low + high) / 2
    square = Image.fromarray(picture).crop((x - reach, y - reach, x + reach, y + reach))
    return np.asarray(square.resize((SIDE, SIDE), Image.Resampling.BILINEAR))


def judge(network: Network, faces: Sequence[Pixels]) -> Array:
    """Return the network's mean output `[7]` for squares `[64, 64, 3]`."""
    mean: Array = embed(network, np.stack(faces)).mean(axis=0)
    return mean


def shown_emotion_table(impressions: Sequence[Impression]) -> Table:
    """Say how often, and how surely, each emotion is recognized."""
    rows: list[Row] = []
    for kind, emotion in dict.fromkeys((each.kind, each.emotion) for each in impressions):
        group = [each for each in impressions if (each.kind, each.emotion) == (kind, emotion)]
        rows.append(_row(f"{kind}, {emotion}", group))
    videos = [each for each in impressions if each.kind == "video"]
    note = (
        "People kept out, and their neutral portraits that say one sentence in each emotion. "
        "Recognized: share in which a network trained on FER2013 finds the emotion more probable "
        "than the six others, on average over a video's frames."
    )
    return Table("Emotion in the picture", note, [*rows, _row("videos", videos)])


def _row(name: str, group: Sequence[Impression]) -> Row:
    return {
        "shown": name,
        "faces": len(group),
        "recognized": float(np.mean([each.recognized for each in group])) if group else None,
        "probability": float(np.mean([each.probability for each in group])) if group else None,
    }
