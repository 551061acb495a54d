"""MEAD (Wang et al., 2020) as published: SPEAKER/video/front/EMOTION/level_N/NNN.mp4.

The speech is in SPEAKER/audio/EMOTION/level_N/NNN.m4a. Only the frontal view is read.
"""

from pathlib import Path

from media.emotions import Emotion
from models.training.preparation.corpora.takes import (
    Corpus,
    Intensity,
    LayoutError,
    Take,
    find_files,
)

EMOTIONS = {
    "angry": Emotion.ANGER,
    "contempt": Emotion.CONTEMPT,
    "disgusted": Emotion.DISGUST,
    "fear": Emotion.FEAR,
    "happy": Emotion.HAPPINESS,
    "neutral": Emotion.NEUTRAL,
    "sad": Emotion.SADNESS,
    "surprised": Emotion.SURPRISE,
}
LEVELS = {
    "level_1": Intensity.WEAK,
    "level_2": Intensity.NORMAL,
    "level_3": Intensity.STRONG,
}


def read_mead(root: Path) -> Corpus:
    """List MEAD's frontal takes.

    A sentence is identified by its number: emotions that share a sentence share its number.

    Raises:
        LayoutError: the folder has another layout, or an unknown emotion or level.
    """
    videos = find_files(root, "*/video/front/*/*/*", [".mp4"])
    return Corpus("mead", "en", "research use, as published", tuple(map(_take, videos)))


def _take(video: Path) -> Take:
    level, emotion = video.parent, video.parents[1]
    if emotion.name not in EMOTIONS or level.name not in LEVELS:
        raise LayoutError(f"{video} has no emotion and level of MEAD.")
    speaker = video.parents[4]
    sound = speaker / "audio" / emotion.name / level.name / f"{video.stem}.m4a"
    return Take(
        name=f"{speaker.name}_{emotion.name}_{level.name[-1]}_{video.stem}",
        person=f"mead_{speaker.name}",
        sentence=video.stem,
        video=video,
        sound=sound if sound.exists() else video,
        emotion=EMOTIONS[emotion.name],
        intensity=LEVELS[level.name],
    )
