"""Evaluation of both stages: from a portrait and its speech to a video, tracked again."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from media.faces.landmarks import LandmarkDetector
from media.video import encode_video, read_frames
from models.evaluation.held_out import HeldOutClip
from models.evaluation.report import Row, Table
from models.evaluation.scoring_networks import ScoringNetworks, fid
from models.evaluation.stage_one import LAG_NOTE
from models.metrics.definitions import LipFigures, compare_lips, correlate, lip_opening
from models.metrics.lip_sync import MAX_LAG, speech_envelope
from models.options import SynthesisOptions
from models.pipeline import TalkingFacePipeline

Frames = NDArray[np.uint8]

CLIP_SIZED = SynthesisOptions(resolution=256)
"""The clips of the validation sets have 256 px."""
GENERATED, REAL = "generated", "real frames"


@dataclass(frozen=True)
class VideoScore:
    """One video; figures of scorers that are not available are None."""

    set: str
    method: str
    lips: LipFigures
    loudness: float
    features: NDArray[np.float32] | None
    sync: tuple[float, float] | tuple[None, None]


def video_path(folder: Path, clip: HeldOutClip) -> Path:
    """Return the path of a clip's generated video."""
    return folder / f"{clip.set}_{clip.name}.mp4"


def score_videos(
    pipeline: TalkingFacePipeline,
    clips: Iterable[HeldOutClip],
    scorers: ScoringNetworks,
    folder: Path,
) -> list[VideoScore]:
    """Generate a video of every speaking clip in the folder, and score it against the real one.

    Raises:
        PortraitError: a clip's first frame cannot be animated, or a video shows no face.
        TypeError: the pipeline's detector cannot track a face through a video.
    """
    tracker = pipeline.detector
    if not isinstance(tracker, LandmarkDetector):
        raise TypeError(f"{type(tracker).__name__} cannot track a face through a video.")
    scores = []
    for clip in tqdm(list(clips), desc="whole path"):
        if clip.waveform is None:
            continue
        real, path = clip.pictures(), video_path(folder, clip)
        encode_video(path, pipeline(real[0], clip.waveform, CLIP_SIZED).frames(), clip.waveform)
        videos = {GENERATED: np.stack(list(read_frames(path))), REAL: real}
        for method, frames in videos.items():
            opening = lip_opening(tracker.track(frames))
            scores.append(
                VideoScore(
                    set=clip.set,
                    method=method,
                    lips=compare_lips(opening, lip_opening(clip.landmarks)),
                    loudness=correlate(opening, speech_envelope(clip.waveform), MAX_LAG)[0],
                    features=scorers.features(frames),
                    sync=scorers.sync(frames, clip.waveform),
                )
            )
    return scores


def video_table(scores: Sequence[VideoScore]) -> Table:
    """Average the scores by set and method."""
    rows = []
    for name in dict.fromkeys(score.set for score in scores):
        real = [s for s in scores if (s.set, s.method) == (name, REAL)]
        generated = [s for s in scores if (s.set, s.method) == (name, GENERATED)]
        rows += [_row(generated, real), _row(real, real)]
    note = (
        "First frame and sound in, H.264 video out, its face tracked again and compared with "
        f"the real clip's. {LAG_NOTE} Correlation with loudness: lip opening against the "
        "speech's own loudness, at the best lag within 3 frames. The real frames, tracked "
        "again, show the error of tracking alone."
    )
    return Table("Whole path: video from speech", note, rows)


def _row(group: Sequence[VideoScore], real: Sequence[VideoScore]) -> Row:
    return {
        "set": group[0].set,
        "method": group[0].method,
        "clips": len(group),
        "lip correlation": float(np.mean([s.lips.correlation for s in group])),
        "median lag": float(np.median([s.lips.lag for s in group])),
        "lag within ±1": float(np.mean([s.lips.in_step for s in group])),
        "opening / real": float(np.median([s.lips.amplitude for s in group])),
        "correlation with loudness": float(np.mean([s.loudness for s in group])),
        "FID": fid([s.features for s in real], [s.features for s in group]),
        "LSE-C": _mean([s.sync[0] for s in group]),
        "LSE-D": _mean([s.sync[1] for s in group]),
    }


def _mean(figures: Sequence[float | None]) -> float | None:
    known = [figure for figure in figures if figure is not None]
    return float(np.mean(known)) if known else None
