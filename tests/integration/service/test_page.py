"""The web page of a service with API keys, in a real browser, without a worker."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright

from jobs.job import Stage
from jobs.s3.object_store import ObjectStorage
from jobs.s3.paths import video_key
from jobs.settings import Settings
from jobs.valkey.job_store import JobStore
from service.settings import ServiceSettings
from tests.integration.service.callers import Guarded, guarding
from tests.jobs_examples import FAILURE, new_job, result_of
from tests.service_examples import portrait, speech

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
PATIENCE_MS = 60_000

pytestmark = [
    pytest.mark.skipif(
        CHROMIUM is None, reason="no Chromium on this machine; `apt-get install chromium` has it"
    ),
]


@pytest.fixture(scope="module")
def guarded_service(addresses: Settings) -> Iterator[Guarded]:
    with guarding(ServiceSettings(**addresses.model_dump())) as guarded:
        yield guarded


@pytest.fixture
def guarded(guarded_service: Guarded, settings: Settings) -> Guarded:
    """The module's service, which asks for keys; its stores are empty."""
    return guarded_service


@pytest.fixture
def page(guarded: Guarded) -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-background-networking"]
        )
        page = browser.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.goto(f"http://127.0.0.1:{guarded.live.port}")
        yield page
        browser.close()


def send(page: Page, folder: Path) -> None:
    for name, data in (("portrait", portrait()), ("audio", speech())):
        (folder / name).write_bytes(data)
        page.set_input_files(f"input[name={name}]", folder / name)
    page.check("input[name=consent]")
    page.click("#form button[type=submit]")


def give_key(page: Page, token: str) -> None:
    page.wait_for_selector("#key-dialog[open]")
    page.fill("#key", token)
    page.click("#key-dialog button[value=give]")


def test_a_visitor_is_asked_for_a_key_until_it_is_a_good_one(
    page: Page, guarded: Guarded, store: JobStore, storage: ObjectStorage, tmp_path: Path
) -> None:
    key, token = guarded.keys.create("acme")
    send(page, tmp_path)
    give_key(page, "wrong")
    page.locator("#key-reason", has_text="form of an API key").wait_for()
    give_key(page, token)
    page.locator("#stage", has_text="number 1").wait_for()
    job_id = next(storage.objects("jobs/")).key.split("/")[1]
    assert store.get(job_id).key_id == key.id
    store.claim(job_id)
    storage.put(video_key(job_id, 1), b"mp4", "video/mp4")
    store.finish(job_id, 1, result_of(job_id, 1))
    page.wait_for_selector("#result:not([hidden])")
    assert page.eval_on_selector("#video", "video => video.src").startswith("blob:")


def test_a_visitor_sees_place_progress_and_time_left_also_when_the_connection_is_lost(
    page: Page, guarded: Guarded, store: JobStore, storage: ObjectStorage, tmp_path: Path
) -> None:
    earlier, waiting = new_job(), new_job()
    for job in (earlier, waiting):
        store.accept(job)
    store.claim(earlier.id)
    store.finish(earlier.id, 1, result_of(earlier.id, 1))
    _, token = guarded.keys.create("acme")
    page.route("**/events", lambda route: route.abort(), times=2)
    send(page, tmp_path)
    give_key(page, token)
    page.locator("#stage", has_text="number 2").wait_for()
    page.locator("#eta", has_text="About 1 s left").wait_for()
    job_id = next(storage.objects("jobs/")).key.split("/")[1]
    store.claim(job_id)
    page.locator("#stage", has_text="Fetching the files").wait_for()
    store.advance(job_id, 1, Stage.RENDERING, 0.42)
    page.locator("#stage", has_text="42 %").wait_for()
    store.fail(job_id, 1, FAILURE)
    page.locator("#problem", has_text=FAILURE.message).wait_for()


def test_a_visitor_without_a_key_is_told_that_one_is_needed(page: Page, tmp_path: Path) -> None:
    send(page, tmp_path)
    page.wait_for_selector("#key-dialog[open]")
    page.click("#key-dialog button[value=keep]")
    problem = page.wait_for_selector("#problem:not([hidden])")
    assert problem is not None
    assert "Authorization: Bearer" in problem.inner_text()
