"""Measure both stages on the validation sets, beside the trivial baselines.

    python -m models.evaluation --data DIR --out DIR [--clips N] [--device D]

The output folder contains report.md, report.json, the pictures and every generated video.
docs/evaluation.md defines every figure.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from models.corpus.clips import read_clip, spread
from models.evaluation.closed_portraits import closed_portrait_table, closed_portraits, renderer
from models.evaluation.held_out import HeldOutClip, read_held_out, read_lags
from models.evaluation.identity import identity_table, score_identity
from models.evaluation.pictures import emotion_grid, film_strip, opening_curves, pair_strip
from models.evaluation.report import Provenance, write_report
from models.evaluation.scoring_networks import ScoringNetworks
from models.evaluation.shown_emotion import judge_people, shown_emotion_table
from models.evaluation.spoken_mouths import spoken_mouth_table, spoken_pairs
from models.evaluation.stage_one import (
    LandmarkScore,
    articulation_table,
    emotion_tables,
    held_out_recordings,
    landmark_table,
    score_landmarks,
    training_mean,
)
from models.evaluation.stage_two import PairsBySet, frame_pairs, frame_table
from models.evaluation.whole_path import score_videos, video_path, video_table
from models.metrics.frame_scores import translator_renderer
from models.metrics.openings import draw_openings
from models.pipeline import TalkingFacePipeline

RECORDINGS_A_CLIP = 8
"""Emotional recordings heard for every clip that `--clips` asks for: one an emotion."""


@dataclass(frozen=True)
class EvaluationOptions:
    """What is measured: `clips` a set (None: all), training's `cache` for its lags."""

    data: Path
    out: Path
    cache: Path
    clips: int | None


def main() -> None:
    """Read the command line, measure, and write the report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="see docs/evaluation.md")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--clips", type=int, help="clips of each set; all by default")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--cache", type=Path, default=Path("runs/stage_one/cache"))
    scorers = ("identity", "inception", "syncnet")
    for name in scorers:
        parser.add_argument(f"--{name}", type=Path, help="see docs/evaluation.md; none is shipped")
    read = parser.parse_args()
    device = torch.device(read.device)
    evaluate(
        TalkingFacePipeline.load(read.device),
        EvaluationOptions(read.data, read.out, read.cache, read.clips),
        ScoringNetworks.load(device, **{name: getattr(read, name) for name in scorers}),
        Provenance.now(device),
    )
    print(read.out / "report.md")


def evaluate(
    pipeline: TalkingFacePipeline,
    options: EvaluationOptions,
    scorers: ScoringNetworks,
    provenance: Provenance,
) -> None:
    """Measure everything and write report.md, report.json, pictures and videos."""
    videos = options.out / "videos"
    videos.mkdir(parents=True, exist_ok=True)
    lags = read_lags(options.data, options.cache, pipeline.generator.encoder)
    clips = list(read_held_out(options.data, lags, options.clips))
    speaking = [clip for clip in clips if clip.waveform is not None]
    recordings = held_out_recordings(options.data)
    heard = spread(recordings, options.clips and RECORDINGS_A_CLIP * options.clips)
    landmarks = score_landmarks(pipeline.generator, speaking, training_mean(options.data))
    pairs = frame_pairs(clips)
    tables = [
        landmark_table(landmarks),
        frame_table(pipeline.translator, pairs),
        video_table(score_videos(pipeline, speaking, scorers, videos)),
        identity_table(
            score_identity(pipeline, speaking, scorers.identity, videos) if scorers.identity else []
        ),
        closed_portrait_table(
            renderer(pipeline.translator), pipeline.detector, closed_portraits(options.data)
        ),
        spoken_mouth_table(
            translator_renderer(pipeline.translator), list(spoken_pairs(options.data))
        ),
        shown_emotion_table(
            judge_people(pipeline, scorers.expression, options.data, longest_speech(clips))
            if scorers.expression
            else []
        ),
        articulation_table(pipeline.generator, heard),
        *emotion_tables(pipeline.generator, heard),
    ]
    pictures = draw(pipeline, options.out, speaking, pairs, landmarks)
    write_report(options.out, provenance, tables, pictures)


def draw(
    pipeline: TalkingFacePipeline,
    folder: Path,
    clips: list[HeldOutClip],
    pairs: PairsBySet,
    landmarks: list[LandmarkScore],
) -> list[Path]:
    """Write all pictures and return their paths."""
    first: dict[str, HeldOutClip] = {}
    for clip in clips:
        first.setdefault(clip.set, clip)
    drawn = {
        f"pairs_{name}": pair_strip(pipeline.translator, group) for name, group in pairs.items()
    }
    for name, clip in first.items():
        video = read_clip(video_path(folder / "videos", clip))
        drawn[f"film_{name}"] = film_strip(clip.pictures(), video)
    drawn["emotions"] = emotion_grid(pipeline, clips[0].pictures()[0], longest_speech(clips))
    paths = [folder / f"{name}.png" for name in drawn]
    for path, picture in zip(paths, drawn.values(), strict=True):
        picture.save(path)
    draw_openings(folder / "openings.png", opening_curves(landmarks))
    return [folder / "openings.png", *paths]


def longest_speech(clips: list[HeldOutClip]) -> NDArray[np.float32]:
    """Return the longest waveform of the clips."""
    return max((clip.waveform for clip in clips if clip.waveform is not None), key=len)


if __name__ == "__main__":
    main()
