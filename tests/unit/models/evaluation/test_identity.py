from pathlib import Path

import pytest
from torch import Tensor

from models.evaluation.held_out import read_held_out, read_lags
from models.evaluation.identity import (
    CROSS,
    OTHER,
    REAL,
    SELF,
    IdentityScore,
    identity_table,
    score_identity,
)
from models.evaluation.scoring_networks import ScoringNetworks
from models.evaluation.whole_path import score_videos
from tests.unit.models.evaluation.tiny_evaluation import tiny_pipeline, write_data


def colours(frames: Tensor) -> Tensor:
    return frames.mean(dim=(2, 3)) - 0.5


def test_every_clip_is_judged_self_driven_and_cross_driven(tmp_path: Path) -> None:
    write_data(tmp_path / "data", tmp_path / "cache")
    pipeline = tiny_pipeline()
    lags = read_lags(tmp_path / "data", tmp_path / "cache", pipeline.generator.encoder)
    clips = [c for c in read_held_out(tmp_path / "data", lags, 1) if c.waveform is not None]
    score_videos(pipeline, clips, ScoringNetworks(), tmp_path)
    scores = score_identity(pipeline, clips, colours, tmp_path)
    judged = {(score.set, score.method) for score in scores}
    assert judged == {(s, m) for s in ("lrcar", "grid") for m in (REAL, SELF, CROSS, OTHER)}


def test_likeness_is_told_beside_real_frames_of_the_same_clips() -> None:
    scores = [
        IdentityScore("grid", "a", REAL, 0.9, 0.2),
        IdentityScore("grid", "b", REAL, 0.7, 0.4),
        IdentityScore("grid", "a", SELF, 0.8, 0.3),
        IdentityScore("grid", "b", SELF, 0.6, 0.5),
        IdentityScore("grid", "b", CROSS, 0.35, 0.5),
    ]
    ratios = {row["method"]: row["CSIM / real"] for row in identity_table(scores).rows}
    assert ratios == pytest.approx({REAL: 1.0, SELF: 0.7 / 0.8, CROSS: 0.5})
