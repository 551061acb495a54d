"""The web page in a real browser: upload files, follow the progress, play the video."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page

from deploy.standalone.system import Standalone
from tests.browser import chromium, needs_chromium
from tests.e2e.conftest import SECONDS_OF_SPEECH
from tests.waiting import PATIENCE

PLAY_A_LITTLE = """video => new Promise(played => {
    video.muted = true;
    video.ontimeupdate = () => video.currentTime > 0.2 && played();
    video.play();
})"""

pytestmark = needs_chromium


@pytest.fixture
def page(system: Standalone) -> Iterator[Page]:
    with chromium() as browser:
        page = browser.new_page()
        page.set_default_timeout(1000 * PATIENCE)
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(system.url)
        yield page
    assert not errors


def send(page: Page, portrait: Path, speech: Path) -> None:
    page.set_input_files("input[name=portrait]", portrait)
    page.set_input_files("input[name=audio]", speech)
    page.check("input[name=consent]")
    page.click("button[type=submit]")


def test_a_visitor_gets_a_video_that_plays(page: Page, portrait: Path, speech: Path) -> None:
    send(page, portrait, speech)
    page.wait_for_selector("#progress[value]")
    page.wait_for_selector("#result:not([hidden])", timeout=1000 * PATIENCE)
    page.eval_on_selector("#video", PLAY_A_LITTLE)
    width, seconds = page.eval_on_selector("#video", "v => [v.videoWidth, v.duration]")
    assert width == 512
    assert seconds == pytest.approx(SECONDS_OF_SPEECH, abs=0.1)


def test_the_page_shows_what_is_wrong_with_a_file(page: Page, speech: Path, tmp_path: Path) -> None:
    picture = tmp_path / "portrait.jpg"
    picture.write_bytes(b"no picture at all")
    send(page, picture, speech)
    problem = page.wait_for_selector("#problem:not([hidden])")
    assert problem is not None
    assert "JPEG, PNG, WEBP, HEIC or AVIF" in problem.inner_text()
