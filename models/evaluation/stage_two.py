"""Evaluation of stage two: how close is a portrait under real landmarks to the real frame?"""

from collections.abc import Iterable

from tqdm import tqdm

from models.evaluation.held_out import HeldOutClip
from models.evaluation.report import Row, Table
from models.landmarks_to_video.visual_translator import VisualTranslator
from models.metrics.frame_scores import (
    Pair,
    Scores,
    baselines,
    pairs_of,
    score,
    translator_renderer,
)

PairsBySet = dict[str, list[Pair]]


def frame_pairs(clips: Iterable[HeldOutClip]) -> PairsBySet:
    """Pair each clip's first frame with its widest open mouth and its last frame, by set."""
    pairs: PairsBySet = {}
    for clip in clips:
        pairs.setdefault(clip.set, []).extend(pairs_of(clip.pictures(), clip.landmarks))
    return pairs


def frame_table(translator: VisualTranslator, pairs: PairsBySet) -> Table:
    """Score stage two and its baselines on every pair."""
    methods = {"generated": translator_renderer(translator)} | baselines()
    methods["real frames"] = lambda pair: pair.wanted
    rows = [
        _row(name, method, len(group), score(group, render))
        for name, group in tqdm(pairs.items(), desc="stage two")
        for method, render in methods.items()
    ]
    note = (
        "Real landmarks; the source is the clip's first frame, the targets are the frame "
        "with the widest open mouth and the last frame. PSNR in dB, 78 for identical "
        "pictures; mouth and eyes on their boxes."
    )
    return Table("Stage two: frames from landmarks", note, rows)


def _row(name: str, method: str, pairs: int, scores: Scores) -> Row:
    return {
        "set": name,
        "method": method,
        "pairs": pairs,
        "PSNR": scores.psnr,
        "SSIM": scores.ssim,
        "mouth PSNR": scores.mouth_psnr,
        "eyes PSNR": scores.eyes_psnr,
        "mouth sharpness / real": scores.mouth_sharpness,
    }
