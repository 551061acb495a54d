"""The TypeScript SDK compiles, and works in Node and in Chromium against the running system."""

import shutil
from pathlib import Path

import pytest
from playwright.sync_api import Route

from deploy.standalone.system import Standalone
from tests.browser import chromium, needs_chromium
from tests.e2e.test_generated_clients import CLIENTS, needs, prepare_typescript, run

SDK = Path(__file__).parents[2] / "amigo-js"

IN_A_PAGE = """async () => {
  const {Client} = await import("/sdk/index.js");
  const [portrait, audio] = ["portrait", "audio"].map(
    (name) => document.querySelector(`input[name=${name}]`).files[0]);
  const amigo = new Client(location.origin);
  const sent = [];
  const job = await amigo.submit(portrait, audio, {
    consent: true, resolution: 256, onUploadProgress: (bytes, total) => sent.push(bytes / total),
  });
  const ended = await amigo.wait(job.id);
  const video = await amigo.downloadVideo(job.id);
  return {status: ended.status, sent: sent.at(-1), type: video.type, size: video.size};
}"""


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The compiled SDK."""
    needs("tsc")
    folder = tmp_path_factory.mktemp("sdk")
    run(f"tsc -p {SDK} --outDir {folder}", folder)
    return folder


def test_it_works_in_node(
    dist: Path, system: Standalone, portrait: Path, speech: Path, tmp_path: Path
) -> None:
    needs("node")
    prepare_typescript(tmp_path)
    shutil.copytree(dist, tmp_path / "sdk")
    shutil.copy(CLIENTS / "with_sdk.ts", tmp_path / "main.ts")
    run("tsc -p .", tmp_path)
    run(f"node main.js {system.url} {portrait} {speech} video.mp4", tmp_path)
    assert (tmp_path / "video.mp4").read_bytes()[4:8] == b"ftyp"


@needs_chromium
def test_it_works_in_a_page(dist: Path, system: Standalone, portrait: Path, speech: Path) -> None:
    def serve(route: Route) -> None:
        file = dist / route.request.url.rpartition("/")[2]
        route.fulfill(body=file.read_text(), content_type="text/javascript")

    with chromium() as browser:
        page = browser.new_page()
        page.route("**/sdk/*", serve)
        page.goto(system.url)
        page.set_input_files("input[name=portrait]", portrait)
        page.set_input_files("input[name=audio]", speech)
        outcome = page.evaluate(IN_A_PAGE)
    assert (outcome["status"], outcome["sent"], outcome["type"]) == ("succeeded", 1, "video/mp4")
    assert outcome["size"] > 1000
