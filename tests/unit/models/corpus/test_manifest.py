from pathlib import Path

import pytest

from models.corpus.manifest import clip_rows, largest_set

ROWS = """file,set,split
clips/a/train/1.mp4,a,train
clips/b/train/2.mp4,b,train
clips/b/train/3.mp4,b,train
clips/a/val/4.mp4,a,val
stills/5.jpg,s,train
stills/6.jpg,s,train
stills/7.jpg,s,train
"""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "manifest.csv").write_text(ROWS)
    return tmp_path


def test_the_largest_set_is_that_of_most_clips(data: Path) -> None:
    assert largest_set(data, "train") == "b"
    assert largest_set(data, "val") == "a"


def test_stills_do_not_count_as_clips(data: Path) -> None:
    assert [row["set"] for row in clip_rows(data, "train")] == ["a", "b", "b"]


def test_a_split_without_clips_is_an_error(data: Path) -> None:
    with pytest.raises(ValueError, match="lists no test clip"):
        largest_set(data, "test")
