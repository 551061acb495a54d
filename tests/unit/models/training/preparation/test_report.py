import csv
from pathlib import Path

from models.training.preparation.corpora.takes import Take
from models.training.preparation.records import Outcome, Record
from models.training.preparation.rejection import Reason
from models.training.preparation.report import write_report

HEARD = tuple(lag / 10 for lag in range(11))


def outcome(name: str, split: str | None, record: Record) -> Outcome:
    video = Path(f"{name}.mp4")
    return Outcome(Take(name, "p1", "s1", video, video), split, record)


def test_the_report_counts_what_was_kept_and_why_the_rest_was_not(tmp_path: Path) -> None:
    outcomes = [
        outcome("a", "train", Record(tracked=1502, correlations=HEARD, lag=2, frames=1500)),
        outcome("b", "train", Record(tracked=750, lag=0, frames=750)),
        outcome("c", "val", Record(reason=Reason.NO_FACE, detail="the first frame shows none")),
        outcome("d", "val", Record(reason=Reason.NO_FACE)),
        outcome("e", None, Record(reason=Reason.HALF_HELD_OUT)),
    ]
    write_report(tmp_path, "talks", outcomes)
    text = (tmp_path / "report.md").read_text()
    assert "2 of 5 takes kept" in text
    assert "| train | 2 | 1 | 1 | 1.5 | 1 |" in text
    assert "| val | 0 | 0 | 0 | 0.0 | 0 |" in text
    assert "| no face | 2 |" in text
    assert "| 2 | 1 |" in text
    with (tmp_path / "report.csv").open(newline="") as file:
        rows = {row["take"]: row for row in csv.DictReader(file)}
    assert (rows["a"]["lag"], rows["a"]["correlation"]) == ("2", "0.700")
    assert rows["b"]["correlation"] == ""
    assert rows["c"]["detail"] == "the first frame shows none"
