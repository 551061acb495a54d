"""Draws docs/pictures/page/ from a system without videos: `python -m docs.draw_page ADDRESS`."""

import io
import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, FilePayload, Page, expect, sync_playwright

from service.routes.pages import WEB

FOLDER = Path(__file__).parent / "pictures" / "page"
PATIENCE_MS = 300_000
WIDTH, FLOW_SIZE, GAP = 900, (600, 336), 16
"""Of a picture, of each of the four in `flow.jpg`, and between those: pixels."""
GROUND = "#f7f5f2"
MOMENT = 1.2  # seconds, when the lips are open


def save(picture: Image.Image, name: str) -> None:
    """Write the picture in place of the one of that name."""
    picture.save(FOLDER / f"{name}.jpg", quality=85, optimize=True, progressive=True)


def seen(page: Page, width: int = WIDTH, *, whole: bool = False) -> Image.Image:
    """Return what the page shows, or the whole of it, `width` pixels wide."""
    picture = Image.open(io.BytesIO(page.screenshot(full_page=whole))).convert("RGB")
    height = round(picture.height * width / picture.width)
    return picture.resize((width, height), Image.Resampling.LANCZOS)


def two_a_row(pictures: Sequence[Image.Image], size: tuple[int, int], gap: int = 0) -> Image.Image:
    """Return the pictures, resized to `size`, two beside each other in each row."""
    width, height = (side + gap for side in size)
    sheet = Image.new("RGB", (2 * width - gap, len(pictures) // 2 * height - gap), GROUND)
    for index, picture in enumerate(pictures):
        small = picture.resize(size, Image.Resampling.LANCZOS)
        sheet.paste(small, (index % 2 * width, index // 2 * height))
    return sheet


def two_people() -> FilePayload:
    """Return two of the example portraits, as one file."""
    portraits = [Image.open(WEB / "examples" / name) for name in ("zoe.jpg", "sam.jpg")]
    file = io.BytesIO()
    two_a_row(portraits, portraits[0].size).save(file, "jpeg", quality=95)
    return {"name": "together.jpg", "mimeType": "image/jpeg", "buffer": file.getvalue()}


def filled(page: Page, address: str, *, faces: int = 2, language: str = "en") -> Page:
    """Open the page, choose a portrait of one or two faces and a clip; both have been checked."""
    page.set_default_timeout(PATIENCE_MS)
    page.goto(address)
    page.wait_for_selector("#form.ready")
    page.select_option("#language", language)
    if faces == 1:
        page.click("#portraits button >> nth=2")
    else:
        page.set_input_files("input[name=portrait]", two_people())
    page.click("#clips button >> nth=2")
    page.check("input[name=consent]")
    expect(page.locator("#frames > *")).to_have_count(faces)
    expect(page.locator("#audio-found")).not_to_be_empty()
    return page


def draw_form(browser: Browser, address: str) -> None:
    """Draw the form with two faces: as it is, in Arabic, and on a phone."""
    page = filled(browser.new_page(viewport={"width": 900, "height": 810}), address)
    page.click("#frames button >> nth=1")
    save(seen(page, whole=True), "start")

    page = browser.new_page(viewport={"width": 900, "height": 810}, color_scheme="dark")
    filled(page, address, language="ar").evaluate("scrollTo(0, 28)")  # down to the emotions
    save(seen(page), "arabic")

    page = filled(browser.new_page(viewport={"width": 360, "height": 740}), address)
    page.locator("#portrait-drop").evaluate("box => box.scrollIntoView()")
    save(seen(page, 360), "phone")


def hold(page: Page, videos: str) -> None:
    """Pause the videos at the moment."""
    page.eval_on_selector_all(
        videos,
        """(videos, moment) => Promise.all(videos.map((video) => new Promise((done) => {
            video.pause();
            video.addEventListener("seeked", done, { once: true });
            video.currentTime = moment;
        })))""",
        MOMENT,
    )
    page.wait_for_timeout(1000)  # until the browser has faded out its waiting sign


def draw_video(page: Page) -> None:
    """Draw how a video is made, from the files to the result."""
    page.set_viewport_size({"width": 1100, "height": 616})
    page.locator("#form").evaluate("form => form.scrollIntoView()")
    steps = [seen(page)]
    page.set_viewport_size({"width": 1000, "height": 560})
    page.click("#form button[type=submit] >> nth=0")
    page.locator("#stage", has_text=re.compile("Analyzing|Rendering")).wait_for()
    steps.append(seen(page))
    page.hover("#video")
    page.wait_for_function("() => video.readyState === 4 && video.currentTime > 0.2")
    steps.append(seen(page))
    save(steps[-1], "while-made")
    expect(page.locator("#legend li").first).to_be_visible()
    hold(page, "#video")
    steps.append(seen(page))
    save(two_a_row(steps, FLOW_SIZE, GAP), "flow")
    page.set_viewport_size({"width": 1000, "height": 580})
    page.check("#show-points")
    save(seen(page), "result")


def draw_all(page: Page) -> None:
    """Draw all eight emotions, side by side."""
    page.set_viewport_size({"width": 1000, "height": 800})
    page.evaluate("form.resolution.value = '256'")
    page.click("#all")
    expect(page.locator("#ready")).to_have_text("8 of 8 are ready.")
    page.click("#play")
    hold(page, "#cells video")
    page.locator("#beside").evaluate("section => section.scrollIntoView()")
    save(seen(page), "all")


def draw(address: str) -> None:
    """Draw all pictures. It takes minutes: nine videos are made."""
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        draw_form(browser, address)
        page = filled(browser.new_page(), address, faces=1)
        draw_video(page)
        draw_all(page)
        page.set_viewport_size({"width": 1020, "height": 653})
        page.goto(f"{address}/ops")
        expect(page.locator("#figures div")).not_to_have_count(0)
        save(seen(page), "ops")


if __name__ == "__main__":
    draw(sys.argv[1])
