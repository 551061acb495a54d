"""Checks that all tests named in docs/api.md exist."""

import re
from pathlib import Path

TESTS = Path(__file__).parents[2]
PAGE = TESTS.parent / "docs" / "api.md"


def test_every_test_that_the_page_names_is_there() -> None:
    text = PAGE.read_text()
    named = set(re.findall(r"`(test_\w+)`", text))
    files = set(re.findall(r"`tests/([\w/]+\.py)`", text))
    there = {
        name
        for file in TESTS.rglob("test_*.py")
        for name in re.findall(r"^(?:async )?def (test_\w+)", file.read_text(), re.MULTILINE)
    }
    assert named
    assert named <= there, named - there
    assert all((TESTS / file).exists() for file in files)
