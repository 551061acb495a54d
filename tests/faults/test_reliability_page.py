"""Checks that all tests named in `docs/reliability.md` exist."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reliability.md"


def test_every_test_that_the_page_names_exists() -> None:
    named = set(re.findall(r"`(test_\w+)`", PAGE.read_text()))
    files = (file.read_text() for file in (ROOT / "tests").rglob("test_*.py"))
    defined = {name for text in files for name in re.findall(r"^def (test_\w+)\(", text, re.M)}

    assert named
    assert named <= defined
