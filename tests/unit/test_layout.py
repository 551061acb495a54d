"""The tests lie where the source lies."""

from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
ROOT = TESTS.parent


@pytest.mark.parametrize("height", ["unit", "integration"])
def test_every_folder_of_tests_is_a_folder_of_the_source(height: str) -> None:
    folders = {path.parent.relative_to(TESTS / height) for path in (TESTS / height).rglob("*.py")}
    assert len(folders) > 10
    assert [folder for folder in folders if not (ROOT / folder).is_dir()] == []
