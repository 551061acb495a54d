"""CREMA-D (Cao et al., 2014) as published: VideoFlash/*.flv, AudioWAV/*.wav beside it.

A name is ACTOR_SENTENCE_EMOTION_LEVEL. VideoMP4/*.mp4 is read instead where it exists.
"""

import re
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
    "ANG": Emotion.ANGER,
    "DIS": Emotion.DISGUST,
    "FEA": Emotion.FEAR,
    "HAP": Emotion.HAPPINESS,
    "NEU": Emotion.NEUTRAL,
    "SAD": Emotion.SADNESS,
}
# XX is "unspecified"; one published file ends in a single X.
LEVELS = {
    "LO": Intensity.WEAK,
    "MD": Intensity.NORMAL,
    "HI": Intensity.STRONG,
    "XX": Intensity.NORMAL,
    "X": Intensity.NORMAL,
}
FLAWS = {
    "1007_ITH_NEU_XX": "published damaged",
    "1064_IEO_DIS_MD": "published damaged",
}

_NAME = re.compile(rf"(\d{{4}})_([A-Z]{{3}})_({'|'.join(EMOTIONS)})_({'|'.join(LEVELS)})")


def read_crema_d(root: Path) -> Corpus:
    """List CREMA-D's takes.

    Raises:
        LayoutError: the folder has another layout, or a video has an unknown name.
    """
    folder = "VideoMP4" if (root / "VideoMP4").is_dir() else "VideoFlash"
    videos = find_files(root, f"{folder}/*", [".mp4", ".flv"])
    return Corpus("crema-d", "en", "ODbL 1.0", tuple(_take(root, video) for video in videos))


def _take(root: Path, video: Path) -> Take:
    match = _NAME.fullmatch(video.stem)
    if match is None:
        raise LayoutError(f"{video} is not named ACTOR_SENTENCE_EMOTION_LEVEL, as in CREMA-D.")
    actor, sentence, emotion, level = match.groups()
    sound = root / "AudioWAV" / f"{video.stem}.wav"
    return Take(
        name=video.stem,
        person=f"crema-d_{actor}",
        sentence=sentence,
        video=video,
        sound=sound if sound.exists() else video,
        emotion=EMOTIONS[emotion],
        intensity=LEVELS[level],
        flaw=FLAWS.get(video.stem, ""),
    )
