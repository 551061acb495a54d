"""Evaluation of stage one: do landmarks follow the speech, and is its emotion detected?"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from media.audio import read_waveform
from media.emotions import EMOTIONS, Emotion
from media.faces.landmarks import MOUTH
from models.corpus.alignment import RIGID, align, hold_still
from models.corpus.clips import read_landmarks
from models.corpus.manifest import largest_set
from models.corpus.recordings import Recording, list_recordings
from models.evaluation.held_out import HeldOutClip
from models.evaluation.report import Row, Table
from models.face.landmark_motion import LandmarkMotion
from models.face.retargeting import lip_gaps, retarget_landmarks
from models.metrics.baselines import mean_motion, move_portrait, static_portrait
from models.metrics.definitions import (
    FACE,
    LipFigures,
    accuracy,
    brow_spread,
    compare_lips,
    confusion,
    jerk,
    landmark_distance,
    lip_opening,
    mean_recall,
    mouth_spread,
    velocity_distance,
)
from models.speech_to_landmarks.landmark_generator import LandmarkGenerator

Points = NDArray[np.float32]

LAG_NOTE = (
    "The sound of lrcar, talkvid and mead was moved into sync with the lips first, by the lag that "
    "training estimated for each clip, so that their lag says little (grid was recorded in sync)."
)
SELECTION_NOTE = "Training stopped at its best on these same clips."
TRAINING_CLIPS_A_MEAN = 8
"""Every eighth training clip goes into the mean motion."""


@dataclass(frozen=True)
class LandmarkScore:
    """One method on one clip; distances in px of an aligned crop, the opening `[T]`."""

    set: str
    clip: str
    method: str
    lips: LipFigures
    mouth: float
    face: float
    velocity: float
    rigid_jerk: float
    lip_jerk: float
    brows: float
    mouth_moves: float
    head_turns: float
    opening: Points


def training_mean(data: Path) -> Points:
    """Return the mean displacement `[79, 2]` of the largest set's training clips."""
    tracked = list(read_landmarks(data, largest_set(data, "train"), "train").values())
    return mean_motion(align(landmarks).motion for landmarks in tracked[::TRAINING_CLIPS_A_MEAN])


def score_landmarks(
    generator: LandmarkGenerator, clips: Iterable[HeldOutClip], mean: Points
) -> list[LandmarkScore]:
    """Score stage one, its baselines and the real landmarks on every clip that speaks."""
    scores = []
    for clip in tqdm(list(clips), desc="stage one"):
        for method, (still, moving) in _faces(generator, clip, mean).items():
            scores.append(_score(clip, method, still, moving))
    return scores


def _faces(
    generator: LandmarkGenerator, clip: HeldOutClip, mean: Points
) -> dict[str, tuple[Points, Points]]:
    """Return each method's face with its head held still, and with head motion and blinks."""
    if clip.waveform is None:
        return {}
    real = clip.aligned()
    portrait, frames = real[0], len(real)
    faces = {}
    for method, intensity in (("generated", 1.0), ("generated, emotion off", 0.0)):
        motion = generator.generate(clip.waveform, intensity=intensity)
        still, moving = (retarget_landmarks(portrait, m) for m in (_hold_head(motion), motion))
        faces[method] = (still, moving)
    baselines = {
        "static portrait": static_portrait(portrait, frames),
        "mean motion": move_portrait(portrait, static_portrait(mean, frames)),
        "real motion retargeted": move_portrait(portrait, align(clip.landmarks).motion),
    }
    return faces | {
        **{method: (face, face) for method, face in baselines.items()},
        "real frames": (real, clip.moving()),
    }


def _hold_head(motion: LandmarkMotion) -> LandmarkMotion:
    return replace(motion, pose=np.zeros_like(motion.pose), lids=np.zeros_like(motion.lids))


def _score(clip: HeldOutClip, method: str, still: Points, moving: Points) -> LandmarkScore:
    real = clip.aligned()
    opening = lip_opening(still)
    return LandmarkScore(
        set=clip.set,
        clip=clip.name,
        method=method,
        lips=compare_lips(opening, lip_opening(real)),
        mouth=landmark_distance(still, real, MOUTH),
        face=landmark_distance(still, real, FACE),
        velocity=velocity_distance(still, real, FACE),
        rigid_jerk=jerk(moving, RIGID),
        lip_jerk=jerk(moving, MOUTH),
        brows=_ratio(brow_spread(still), brow_spread(real)),
        mouth_moves=_ratio(mouth_spread(still), mouth_spread(real)),
        head_turns=_ratio(_head_spread(moving), _head_spread(clip.moving())),
        opening=opening,
    )


def _head_spread(moving: Points) -> float:
    """Return how far a head turns: the deviation over time of its roll, turn and nod, radians."""
    _, pose = hold_still(moving)
    return float(np.linalg.norm(pose[:, [1, 4, 5]].std(axis=0)))


def _ratio(generated: float, real: float) -> float:
    """Return generated over real; nan where the real one does not move."""
    return generated / real if real > 0.0 else float("nan")


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))


def landmark_table(scores: Sequence[LandmarkScore]) -> Table:
    """Average the scores by set and method."""
    groups = list(dict.fromkeys((score.set, score.method) for score in scores))
    rows: list[Row] = []
    for name, method in groups:
        group = [score for score in scores if (score.set, score.method) == (name, method)]
        rows.append(
            {
                "set": name,
                "method": method,
                "clips": len(group),
                "lip correlation": float(np.mean([s.lips.correlation for s in group])),
                "lag within ±1": float(np.mean([s.lips.in_step for s in group])),
                "opening / real": float(np.median([s.lips.amplitude for s in group])),
                "M-LMD px": float(np.mean([s.mouth for s in group])),
                "F-LMD px": float(np.mean([s.face for s in group])),
                "LVD px": float(np.mean([s.velocity for s in group])),
                "brows move / real": float(np.mean([s.brows for s in group])),
                "mouth moves / real": float(np.mean([s.mouth_moves for s in group])),
                "head turns / real": float(np.median([s.head_turns for s in group])),
                "jerk rigid": float(np.mean([s.rigid_jerk for s in group])),
                "jerk lips": float(np.mean([s.lip_jerk for s in group])),
            }
        )
    note = (
        "From the first frame's landmarks and the sound, against the real landmarks of unseen "
        f"people (grid: of a known voice). {SELECTION_NOTE} {LAG_NOTE}"
    )
    return Table("Stage one: landmarks from speech", note, rows)


def held_out_recordings(data: Path) -> list[Recording]:
    """Return the recordings of the speakers that training keeps out."""
    return [recording for recording in list_recordings(data) if recording.held_out]


def articulation_table(generator: LandmarkGenerator, recordings: Sequence[Recording]) -> Table:
    """Measure how far lips open in acted speech over the same speaker's neutral speech."""
    strong = [r for r in recordings if r.strength in (0.0, 1.0)]
    spreads: dict[tuple[str, Emotion, str], list[float]] = {}
    for recording in tqdm(strong, desc="articulation"):
        waveform = read_waveform(recording.path)
        for way, emotion in (("heard", None), ("asked for", recording.emotion)):
            motion = generator.generate(waveform, emotion=emotion)
            opening = lip_gaps(motion.displacement).mean(axis=1)
            key = (recording.speaker, recording.emotion, way)
            spreads.setdefault(key, []).append(float(opening.std()))
    ways = ("heard", "asked for")
    rows = [_articulation_row(spreads, emotion, ways) for emotion in EMOTIONS]
    note = "Deviation of the opening, strong intensity over neutral; mean over speakers kept out."
    return Table("Opening of the lips in acted speech", note, [row for row in rows if row])


def _articulation_row(
    spreads: Mapping[tuple[str, Emotion, str], list[float]], emotion: Emotion, ways: Sequence[str]
) -> Row:
    plain = Emotion.NEUTRAL
    speakers = {speaker for speaker, acted, _ in spreads if acted is emotion}
    speakers &= {speaker for speaker, acted, _ in spreads if acted is plain}
    if not speakers:
        return {}
    row: dict[str, str | int | float | None] = {"acted": str(emotion), "speakers": len(speakers)}
    for way in ways:
        ratios = [
            _ratio(_mean(spreads[speaker, emotion, way]), _mean(spreads[speaker, plain, way]))
            for speaker in speakers
        ]
        row[f"{way}, over neutral"] = float(np.mean(ratios))
    return row


def emotion_tables(generator: LandmarkGenerator, recordings: Sequence[Recording]) -> list[Table]:
    """Measure how often the acted emotion is heard, and what it is taken for."""
    heard = [
        generator.generate(read_waveform(recording.path)).heard[None]
        for recording in tqdm(recordings, desc="emotion")
    ]
    counts = confusion([recording.emotion for recording in recordings], heard)
    guessed = np.zeros_like(counts)
    guessed[:, counts.sum(axis=1).argmax()] = counts.sum(axis=1)
    methods = {"heard": counts, "always the commonest": guessed}
    rows: list[Row] = [
        {
            "method": method,
            "recordings": int(table.sum()),
            "accuracy": accuracy(table),
            "mean recall": mean_recall(table),
        }
        for method, table in methods.items()
    ]
    confused: list[Row] = [
        {"acted": str(emotion)}
        | {str(other): int(count) for other, count in zip(EMOTIONS, row, strict=True)}
        for emotion, row in zip(EMOTIONS, counts, strict=True)
    ]
    speakers = ", ".join(sorted({recording.speaker for recording in recordings}))
    note = f"Speakers kept out of training, which stopped at its best on them: {speakers}."
    return [
        Table("Emotion heard in speech", note, rows),
        Table("Emotion acted (row) and heard (column)", "Recordings. " + note, confused),
    ]
