"""The texts of the web page, in every language."""

import json
import re
from pathlib import Path

import pytest

from media.emotions import EMOTIONS
from service.routes.pages import WEB

TEXTS = {path.stem: json.loads(path.read_text()) for path in (WEB / "lang").glob("*.json")}
PAGE = (WEB / "index.html").read_text()


@pytest.mark.parametrize("language", TEXTS)
def test_a_language_has_every_text_with_the_same_values(language: str) -> None:
    assert TEXTS[language].keys() == TEXTS["en"].keys()
    for name, text in TEXTS["en"].items():
        assert _values(TEXTS[language][name]) <= _values(text), name
    assert set(map(str, EMOTIONS)) <= TEXTS[language].keys()


def test_the_page_itself_holds_the_english_texts_that_show_at_first() -> None:
    found = re.findall(r'data-t="(\w+)"[^>]*>([^<]+)<', PAGE)
    assert len(found) > 3
    assert all(TEXTS["en"][name] == text for name, text in found)


def test_the_page_offers_every_language() -> None:
    assert set(re.findall(r'<option value="(\w\w)" lang', PAGE)) == TEXTS.keys()


def test_the_page_is_light() -> None:
    files = [path for path in WEB.iterdir() if path.is_file() and path.stem not in ("docs", "ops")]
    sizes = sum(path.stat().st_size for path in files)
    assert sizes + _largest(WEB / "lang") < 60_000


def _largest(folder: Path) -> int:
    return max(path.stat().st_size for path in folder.iterdir())


def _values(text: str) -> set[str]:
    return set(re.findall(r"\{(\w+)\}", text))
