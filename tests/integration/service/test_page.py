"""The web page in a real browser, without a worker: the tests play the worker's part."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Route, expect

from jobs.job import Stage
from jobs.s3.object_store import ObjectStorage
from jobs.s3.paths import landmarks_key, stream_prefix, video_key
from jobs.settings import Settings
from jobs.valkey.job_store import JobStore
from jobs.values import Failure
from media.hls import SegmentedVideo, media_playlist
from media.video import encode_video
from models.face.landmark_track import LandmarkTrack
from service.routes.pages import WEB
from service.settings import ServiceSettings
from tests.browser import chromium, needs_chromium
from tests.integration.service.callers import Guarded, guarding
from tests.jobs_examples import FAILURE, new_job, result_of
from tests.media import babble
from tests.service_examples import portrait, speech

PATIENCE_MS = 60_000
DEVICES = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
SEND = "#form button[type=submit]"

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def guarded_service(addresses: Settings) -> Iterator[Guarded]:
    with guarding(ServiceSettings(**addresses.model_dump())) as guarded:
        yield guarded


@pytest.fixture
def guarded(guarded_service: Guarded, settings: Settings) -> Guarded:
    """The module's service, which asks for keys; its stores are empty."""
    return guarded_service


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium(*DEVICES) as browser:
        yield browser


@pytest.fixture
def page(guarded: Guarded, browser: Browser) -> Iterator[Page]:
    """The page, of a visitor without a key."""
    page = browser.new_page(permissions=["camera", "microphone"])
    page.set_default_timeout(PATIENCE_MS)
    expect.set_options(timeout=PATIENCE_MS)
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda line: faults.append(line.text) if "Policy" in line.text else None)
    page.goto(f"http://127.0.0.1:{guarded.live.port}")
    page.wait_for_selector("#emotions input")
    yield page
    page.close()
    assert not faults


@pytest.fixture
def known(page: Page, guarded: Guarded) -> Page:
    """The page, of a visitor who gave a key."""
    _, token = guarded.keys.create("acme")
    page.evaluate("key => sessionStorage.setItem('amigo-key', key)", token)
    return page


def fill(page: Page, folder: Path) -> None:
    for name, data in (("portrait", portrait()), ("audio", speech())):
        (folder / name).write_bytes(data)
        page.set_input_files(f"input[name={name}]", folder / name)
    page.check("input[name=consent]")


def give_key(page: Page, token: str) -> None:
    page.wait_for_selector("#key-dialog[open]")
    page.fill("#key", token)
    page.click("#key-dialog button[value=give]")


def the_job(storage: ObjectStorage) -> str:
    return next(storage.objects("jobs/")).key.split("/")[1]


def assert_accessible(page: Page) -> None:
    found = Axe().run(page)
    assert not found.violations_count, found.generate_report()


def test_the_page_asks_for_a_key_before_the_upload_until_it_is_valid(
    page: Page, guarded: Guarded, store: JobStore, storage: ObjectStorage, tmp_path: Path
) -> None:
    key, token = guarded.keys.create("acme")
    fill(page, tmp_path)
    page.click(SEND)
    give_key(page, "wrong")
    page.locator("#key-reason", has_text="not an API key").wait_for()
    assert_accessible(page)
    assert list(storage.objects("jobs/")) == []
    give_key(page, token)
    page.locator("#stage", has_text="number 1").wait_for()
    job_id = the_job(storage)
    assert store.get(job_id).key_id == key.id
    assert page.url.endswith(f"#{job_id}")
    store.claim(job_id)
    storage.put(video_key(job_id, 1), b"mp4", "video/mp4")
    store.finish(job_id, 1, result_of(job_id, 1))
    page.wait_for_selector("#result:not([hidden])")
    assert page.eval_on_selector("#video", "video => video.src").startswith("blob:")


def test_a_visitor_sees_place_progress_and_time_left_also_when_the_connection_is_lost(
    known: Page, store: JobStore, storage: ObjectStorage, tmp_path: Path
) -> None:
    earlier, waiting = new_job(), new_job()
    for job in (earlier, waiting):
        store.accept(job)
    store.claim(earlier.id)
    store.finish(earlier.id, 1, result_of(earlier.id, 1))
    known.route("**/v1/jobs/job_*wait=*", lambda route: route.abort(), times=2)
    fill(known, tmp_path)
    known.click(SEND)
    known.locator("#stage", has_text="number 2").wait_for()
    known.locator("#eta", has_text="About 1 s left").wait_for()
    assert_accessible(known)
    job_id = the_job(storage)
    store.claim(job_id)
    known.locator("#stage", has_text="Fetching the files").wait_for()
    store.advance(job_id, 1, Stage.LISTENING, 0.42)
    known.locator("#stage", has_text="42 %").wait_for()
    assert known.title() == "42 % · AMIGO"
    expect(known.locator("#progress")).to_be_in_viewport()
    store.fail(job_id, 1, FAILURE)
    known.locator("#problem", has_text=FAILURE.message).wait_for()
    assert_accessible(known)


def test_the_page_asks_for_a_required_key(page: Page, tmp_path: Path) -> None:
    fill(page, tmp_path)
    page.click(SEND)
    page.wait_for_selector("#key-dialog[open]")
    page.click("#key-dialog button[value=keep]")
    expect(page.locator("#problem")).to_contain_text("Authorization: Bearer")


def test_a_visitor_begins_without_files_in_any_language(page: Page) -> None:
    assert_accessible(page)
    page.click("#portraits button >> nth=1")
    page.click("#clips button >> nth=0")
    names = "form => [form.portrait.files[0]?.name, form.audio.files[0]?.name]"
    page.wait_for_function("() => form.portrait.files.length && form.audio.files.length")
    assert page.eval_on_selector("#form", names) == ["sam.jpg", "hello.m4a"]
    page.eval_on_selector(
        "body",
        """body => {
            const dataTransfer = new DataTransfer();
            for (const [name, type] of [["a.png", "image/png"], ["b.wav", "audio/wav"]])
                dataTransfer.items.add(new File(["x"], name, { type }));
            body.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true }));
        }""",
    )
    assert page.eval_on_selector("#form", names) == ["a.png", "b.wav"]
    expect(page.locator("#refused")).to_contain_text("cannot be opened as a picture")
    page.click("#camera")
    page.wait_for_function("() => document.getElementById('viewfinder').videoWidth > 0")
    page.click("#camera")
    page.click("#record")
    page.wait_for_function("() => document.getElementById('level').value > 0")
    page.click("#record")
    page.wait_for_function("() => form.audio.files[0].name.startsWith('recording')")
    assert page.eval_on_selector("#form", names) == ["camera.jpg", "recording.webm"]

    page.select_option("#language", "ar")
    expect(page.locator("html")).to_have_attribute("dir", "rtl")
    page.set_viewport_size({"width": 320, "height": 640})
    assert page.evaluate("document.documentElement.scrollWidth") == 320
    page.emulate_media(color_scheme="dark")
    assert_accessible(page)
    page.reload()
    expect(page.locator("#create")).to_have_text("إنشاء فيديو")


def test_a_visitor_sees_what_was_found_in_the_files_before_sending_them(
    known: Page, store: JobStore, storage: ObjectStorage, tmp_path: Path
) -> None:
    expect(known.locator("#portrait-note")).to_have_text(
        "JPEG, PNG, WEBP, HEIC, or AVIF, up to 20 MB"
    )
    expect(known.locator("#audio-note")).to_contain_text("up to 5 minutes")
    known.set_input_files("input[name=portrait]", WEB / "examples" / "emotions.jpg")
    frames = known.locator("#frames button")
    expect(frames).to_have_count(8)
    expect(known.locator("#portrait-found")).to_contain_text("8 faces")
    expect(known.locator("#faces")).to_be_hidden()
    frames.nth(2).focus()
    known.keyboard.press("Enter")
    expect(known.locator("input[name=face]")).to_have_value("3")
    expect(known.get_by_role("button", name="Face 3", pressed=True)).to_be_visible()
    expect(known.locator("#cut")).to_be_visible()
    assert_accessible(known)

    fill(known, tmp_path)
    (tmp_path / "short").write_bytes(speech(0.1))
    known.set_input_files("input[name=audio]", tmp_path / "short")
    expect(known.locator("#portrait-found.note")).to_contain_text("No face was found")
    expect(known.locator("#audio-found.note")).to_contain_text("at least 0.2 s")
    expect(known.locator("input[name=portrait]")).to_have_attribute("aria-invalid", "true")
    expect(frames).to_have_count(0)
    assert_accessible(known)
    fill(known, tmp_path)
    expect(known.locator("#audio-found")).to_have_text("1 second of speech")
    known.click(SEND)
    known.locator("#stage", has_text="number 1").wait_for()
    assert store.get(the_job(storage)).options.face == "largest"


def test_a_visitor_chooses_a_face_by_click_or_number_and_again_after_a_refusal(
    known: Page, store: JobStore, storage: ObjectStorage, tmp_path: Path
) -> None:
    known.route("**/v1/checks", lambda route: route.abort())
    fill(known, tmp_path)
    face = known.locator("input[name=face]")
    known.fill("#face-number", "2")
    expect(face).to_have_value("2")
    picture = known.locator("#portrait-preview")
    natural = picture.evaluate("image => [image.naturalWidth, image.naturalHeight]")
    box = picture.bounding_box()
    assert box
    picture.click(position={"x": box["width"] / 4, "y": box["height"] / 2})
    expect(known.locator("#marker")).to_be_visible()
    expect(known.locator("#face-number")).to_have_value("")
    x, y = map(int, face.input_value().split(","))
    assert (x, y) == pytest.approx((natural[0] / 4, natural[1] / 2), abs=natural[0] / box["width"])
    assert_accessible(known)

    known.click(SEND)
    known.locator("#stage", has_text="number 1").wait_for()
    job_id = the_job(storage)
    assert store.get(job_id).options.face == f"{x},{y}"
    store.claim(job_id)
    store.fail(job_id, 1, Failure(code="face_not_found", message="There is no face at the point."))
    expect(known.locator("#problem")).to_contain_text("You can choose another face")
    known.click("#choose-face")
    expect(known.locator("#face-number")).to_be_focused()
    known.click("#largest")
    expect(face).to_have_value("largest")
    expect(known.locator("#marker")).to_be_hidden()


def test_a_video_plays_while_it_is_rendered_and_survives_a_reload(
    known: Page, store: JobStore, storage: ObjectStorage, tmp_path: Path
) -> None:
    job = new_job(tenant="acme")
    store.accept(job)
    store.claim(job.id)
    store.advance(job.id, 1, Stage.RENDERING, 0.3)
    made = put_segments(storage, job.id, tmp_path)
    known.goto(f"{known.url}#{job.id}")
    known.wait_for_function("() => document.getElementById('video').currentTime > 0.2")
    expect(known.locator("#work")).to_be_visible()

    storage.put(video_key(job.id, 1), made, "video/mp4")
    track = LandmarkTrack(
        np.full((50, 79, 2), 9, np.float32), np.eye(8, dtype=np.float32)[[1] * 50], (64, 64)
    )
    storage.put(landmarks_key(job.id, 1), track.to_npz(), "application/x-npz")
    store.finish(job.id, 1, result_of(job.id, 1, landmarks_key=landmarks_key(job.id, 1)))
    expect(known.locator("#made")).to_have_text(
        "Emotion: happiness, detected in the speech (90 % confidence)."
    )
    expect(known.locator("#legend")).to_contain_text("happiness 90 %")
    known.check("#show-points")
    expect(known.locator("#points")).to_be_visible()
    assert_accessible(known)

    known.reload()
    known.wait_for_selector("#result:not([hidden])")
    known.click("#jobs button")
    expect(known.locator("#history")).to_be_hidden()
    expect(known.locator("#job")).to_be_hidden()
    known.goto(f"{known.url}#{job.id}")
    expect(known.locator("#problem")).to_contain_text("expired or was deleted")


def put_segments(storage: ObjectStorage, job_id: str, folder: Path) -> bytes:
    """Store two seconds of a stream; return the video."""
    frames = [np.full((50, 64, 64, 3), 120, np.uint8)]
    (folder / "stream").mkdir()
    with SegmentedVideo(folder / "stream") as segments:
        encode_video(folder / "video.mp4", frames, babble(2.0), segments=segments)
    for path in segments.folder.iterdir():
        is_list = path.name == "media.m3u8"
        data = media_playlist(segments.folder).encode() if is_list else path.read_bytes()
        storage.put(stream_prefix(job_id, 1) + path.name, data, "")
    return (folder / "video.mp4").read_bytes()


def test_a_request_that_failed_in_transit_is_retried_with_the_same_key(
    known: Page, storage: ObjectStorage, tmp_path: Path
) -> None:
    keys: list[str] = []

    def fail_once(route: Route) -> None:
        if route.request.method != "POST":
            return route.continue_()
        keys.append(route.request.headers["idempotency-key"])
        if len(keys) > 1:
            return route.continue_()
        return route.fulfill(status=502, content_type="text/html", body="<h1>Bad gateway</h1>")

    known.route("**/v1/jobs", fail_once)
    fill(known, tmp_path)
    known.click(SEND)
    expect(known.locator("#problem")).to_contain_text("HTTP 502")
    known.click("#retry")
    known.locator("#stage", has_text="number 1").wait_for()
    assert keys[0] == keys[1]
    known.click("#cancel")
    expect(known.locator("#stage")).to_have_text("Canceled")


def test_all_emotions_are_submitted_until_one_is_rejected(
    known: Page, store: JobStore, storage: ObjectStorage, tmp_path: Path
) -> None:
    keys: list[str] = []

    def refuse_the_third(route: Route) -> None:
        if route.request.method != "POST":
            return route.continue_()
        keys.append(route.request.headers["idempotency-key"])
        if len(keys) < 3:
            return route.continue_()
        problem = {"code": "too_many_jobs", "detail": "2 jobs are in progress.", "status": 429}
        return route.fulfill(status=429, json=problem)

    known.route("**/v1/jobs", refuse_the_third)
    fill(known, tmp_path)
    known.click("#all")
    expect(known.locator("#stopped")).to_contain_text("2 jobs are in progress")
    cells = known.locator("#cells li")
    expect(cells).to_have_count(2)
    assert len(set(keys)) == 3
    assert_accessible(known)

    made = put_segments(storage, "unused", tmp_path)
    ids = known.url.split("#")[1].strip(",").split(",")
    assert [store.get(job_id).options.emotion for job_id in ids] == ["neutral", "happiness"]
    known.click("text=Cancel >> visible=true")
    expect(cells.first).to_contain_text("Canceled")
    assert store.get(ids[0]).status == "canceled"
    store.claim(ids[1])
    store.fail(ids[1], 1, FAILURE)
    expect(cells.nth(1)).to_contain_text(FAILURE.message)
    keys.clear()
    for cell in (cells.first, cells.nth(1)):
        cell.get_by_role("button", name="Try again").click()
        expect(cell.get_by_role("button", name="Cancel")).to_be_visible()
    remade = known.url.split("#")[1].strip(",").split(",")
    assert not {*ids} & {*remade}
    ids = remade
    assert [store.get(job_id).options.emotion for job_id in ids] == ["neutral", "happiness"]
    for job_id in ids:
        store.claim(job_id)
        storage.put(video_key(job_id, 1), made, "video/mp4")
        store.finish(job_id, 1, result_of(job_id, 1))
    expect(known.locator("#ready")).to_have_text("2 of 2 are ready.")
    fetched: list[str] = []
    known.on("request", lambda sent: fetched.append(sent.url) if "/video?" in sent.url else None)
    known.reload()
    expect(known.locator("#play")).to_be_visible()
    assert len(fetched) == 2
    known.route("**/v1/jobs?*", lambda route: route.abort("internetdisconnected"), times=1)
    known.reload()
    known.click("#play")
    known.wait_for_function(
        "() => [...document.querySelectorAll('#cells video')].every(each => each.currentTime > 0.2)"
    )
    assert_accessible(known)


def test_the_earlier_video_stays_when_the_connection_is_lost_and_its_link_is_shared(
    known: Page, store: JobStore, storage: ObjectStorage, tmp_path: Path
) -> None:
    job = new_job(tenant="acme")
    store.accept(job)
    store.claim(job.id)
    storage.put(video_key(job.id, 1), b"mp4", "video/mp4")
    store.finish(job.id, 1, result_of(job.id, 1))
    known.goto(f"{known.url}#{job.id}")
    known.wait_for_selector("#result:not([hidden])")
    known.evaluate("() => { navigator.share = ({ url }) => { window.shared = url; }; }")
    known.click("#share")
    assert f"/v1/jobs/{job.id}/video?" in known.evaluate("shared")

    fill(known, tmp_path)
    known.route("**/v1/jobs", lambda route: route.abort("internetdisconnected"))
    known.click(SEND)
    expect(known.locator("#problem")).to_contain_text("Could not connect")
    expect(known.locator("#retry")).to_be_visible()
    expect(known.locator("#result")).to_be_visible()
    assert known.url.endswith(f"#{job.id}")
    assert_accessible(known)


def test_the_operators_page_shows_queued_and_failed_jobs(
    known: Page, guarded: Guarded, store: JobStore
) -> None:
    failed, waiting = new_job(tenant="acme"), new_job(tenant="acme")
    store.accept(failed)
    store.claim(failed.id)
    store.fail(failed.id, 1, FAILURE)
    store.accept(waiting)
    known.goto(f"http://127.0.0.1:{guarded.live.port}/ops")
    expect(known.locator("#failures")).to_contain_text("no_face")
    expect(known.locator("#active")).to_contain_text("waiting, number 1")
    expect(known.locator("#figures div").first).to_have_text("Waiting1")
    assert_accessible(known)
