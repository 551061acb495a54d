import json
from pathlib import Path
from typing import Any

import pytest

from media.emotions import EMOTIONS
from models.evaluation.__main__ import EvaluationOptions, evaluate
from models.evaluation.report import NOT_AVAILABLE, Provenance
from models.evaluation.scoring_networks import ScoringNetworks
from tests.unit.models.evaluation.tiny_evaluation import tiny_pipeline, write_data

Tables = dict[str, list[dict[str, Any]]]

PROVENANCE = Provenance("a made-up device", "2026-01-02 03:04 UTC", {"w.safetensors": "ab" * 32})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An evaluation's output folder."""
    root = tmp_path_factory.mktemp("evaluation")
    write_data(root / "data", root / "cache")
    options = EvaluationOptions(root / "data", root / "out", root / "cache", clips=1)
    evaluate(tiny_pipeline(), options, ScoringNetworks(), PROVENANCE)
    return root / "out"


@pytest.fixture
def tables(folder: Path) -> Tables:
    """Rows by title."""
    record = json.loads((folder / "report.json").read_text())
    return {table["title"]: table["rows"] for table in record["tables"]}


def rows_named(rows: list[dict[str, Any]]) -> set[tuple[str, str]]:
    return {(row["set"], row["method"]) for row in rows}


def test_every_method_has_a_row_in_every_set_that_speaks(
    tables: Tables,
) -> None:
    generated = ("generated", "generated, emotion off")
    baselines = ("static portrait", "mean motion", "real motion retargeted")
    landmarks = rows_named(tables["Stage one: landmarks from speech"])
    # The mead clip has no lag: it does not speak.
    assert landmarks == {
        (s, m) for s in ("lrcar", "grid") for m in (*generated, *baselines, "real frames")
    }
    videos = rows_named(tables["Whole path: video from speech"])
    assert videos == {(s, m) for s in ("lrcar", "grid") for m in ("generated", "real frames")}


def test_frames_are_compared_in_every_set(tables: Tables) -> None:
    methods = ("generated", "static source", "prior alone", "real frames")
    frames = rows_named(tables["Stage two: frames from landmarks"])
    assert frames == {(s, m) for s in ("lrcar", "grid", "mead") for m in methods}


def test_the_real_rows_are_perfect_and_the_static_ones_do_not_follow(
    tables: Tables,
) -> None:
    for row in tables["Stage one: landmarks from speech"]:
        if row["method"] == "real frames":
            assert row["lip correlation"] == pytest.approx(1)
            assert row["M-LMD px"] == row["LVD px"] == 0
            assert row["jerk lips"] > 0
        if row["method"] == "static portrait":
            assert row["lip correlation"] == row["lag within ±1"] == row["jerk rigid"] == 0
            assert row["M-LMD px"] > 0


def test_only_recordings_of_held_out_speakers_are_evaluated(
    tables: Tables,
) -> None:
    heard, guessed = tables["Emotion heard in speech"]
    assert heard["recordings"] == 2
    assert guessed["accuracy"] == 0.5
    confused = tables["Emotion acted (row) and heard (column)"]
    acted = {row["acted"]: sum(row[str(e)] for e in EMOTIONS) for row in confused}
    assert {name for name, count in acted.items() if count} == {"fear", "neutral"}


def test_figures_of_missing_networks_are_not_available(folder: Path) -> None:
    sections = (folder / "report.md").read_text().split("\n## ")
    videos, identity = (
        next(section for section in sections if section.startswith(title))
        for title in ("Whole path", "Identity")
    )
    header = next(line for line in videos.splitlines() if "FID" in line)
    assert header.endswith("| FID | LSE-C | LSE-D |")
    three = f"| {' | '.join([NOT_AVAILABLE] * 3)} |"
    assert videos.count(three) == 4
    assert identity.count(NOT_AVAILABLE) == 3


def test_every_table_states_device_date_and_weights(folder: Path) -> None:
    text = (folder / "report.md").read_text()
    line = "a made-up device; 2026-01-02 03:04 UTC; sha256 of the weights: w.safetensors `abababab"
    assert text.count(line) == text.count("\n## ") - 1 == 10
    assert "moved into sync with the lips first" in text


def test_pictures_and_videos_are_written_next_to_the_report(folder: Path) -> None:
    text = (folder / "report.md").read_text()
    names = ["openings", "emotions", "film_lrcar", "film_grid"]
    names += [f"pairs_{name}" for name in ("lrcar", "grid", "mead")]
    for name in names:
        assert (folder / f"{name}.png").stat().st_size > 1000
        assert f"({name}.png)" in text
    assert len(list((folder / "videos").iterdir())) == 2
