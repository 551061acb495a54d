from pathlib import Path

import pytest

from models.corpus.source_clips import is_in_step


@pytest.mark.parametrize(
    ("name", "prepared", "in_step"),
    [("grid", False, True), ("mead", False, False), ("mead", True, True), ("talks", True, False)],
)
def test_studio_recordings_are_in_step_once_prepared(
    tmp_path: Path, name: str, prepared: bool, in_step: bool
) -> None:
    if prepared:
        (tmp_path / "preparation" / name).mkdir(parents=True)
    assert is_in_step(tmp_path, name) == in_step
