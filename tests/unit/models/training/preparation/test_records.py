from pathlib import Path

import numpy as np
import pytest

from media.geometry import Square
from models.training.preparation.records import Record, Records
from models.training.preparation.rejection import Reason


@pytest.mark.parametrize(
    "record",
    [
        Record(reason=Reason.NO_FACE, detail="the first frame shows none"),
        Record(box=Square(1.5, -2, 300), tracked=70, correlations=(0.1,) * 11, lag=-2, frames=68),
    ],
)
def test_a_record_comes_back_as_it_was(tmp_path: Path, record: Record) -> None:
    records = Records(tmp_path / "new")
    assert records.read("a.b") is None
    records.write("a.b", record)
    assert records.read("a.b") == record


def test_landmarks_come_back_in_64ths_of_a_pixel(tmp_path: Path) -> None:
    records = Records(tmp_path)
    landmarks = np.array([[[1.5, -2.25], [10_000, -10_000]]], np.float32)
    records.write_landmarks("a", landmarks)
    np.testing.assert_array_equal(records.read_landmarks("a"), [[[96, -144], [32_767, -32_768]]])
