"""The texts of the web page, in every language."""

import json
import re
from pathlib import Path

import pytest
from starlette.testclient import TestClient

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


@pytest.mark.parametrize("page", ["index.html", "ops.html"])
def test_the_page_stays_small(http: TestClient, page: str) -> None:
    path = "/" if page == "index.html" else "/ops"
    sizes = {each: _bytes_sent(http, each) for each in {path, *_loaded(WEB / page)}}
    language = max(_bytes_sent(http, f"/web/lang/{name}.json") for name in TEXTS)
    assert sum(sizes.values()) + language < 26_000, sizes


def _loaded(file: Path) -> set[str]:
    """Return the paths of all stylesheets, modules and icons that a page or module loads."""
    text = file.read_text()
    found = set(re.findall(r'(?:href|src|from|import)[= ]"(/web/[^"]+)"', text))
    return found.union(*(_loaded(WEB / path.removeprefix("/web/")) for path in found))


def _bytes_sent(http: TestClient, path: str) -> int:
    response = http.get(path, headers={"Accept-Encoding": "gzip"})
    return int(response.headers["Content-Length"])


def _values(text: str) -> set[str]:
    return set(re.findall(r"\{(\w+)\}", text))
