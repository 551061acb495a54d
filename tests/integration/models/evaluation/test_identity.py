from pathlib import Path

from torch import Tensor

from models.evaluation.held_out import read_held_out, read_lags
from models.evaluation.identity import CROSS, OTHER, REAL, SELF, score_identity
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
