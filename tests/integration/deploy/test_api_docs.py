"""Runs every snippet of docs/api.md from the top of the page to its end, language by language."""

import re
import shutil
import subprocess
import sys
import textwrap
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from amigo import ApiProblem
from deploy.standalone.system import Standalone
from jobs.documents import JobDocument
from service.intake.requests import JobRequest
from tests.browser import chromium, needs_chromium
from tests.waiting import wait_for

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "api.md"
EXAMPLES = ROOT / "examples"
SNIPPET = re.compile(r"^```(?P<language>\w+)\n(?P<code>.*?)^```$", re.DOTALL | re.MULTILINE)
SECONDS_OF_SPEECH, REPEATED = 0.4, 4
"""Of the example, as the speech; how often it is repeated, as the lecture."""

News = tuple[bytes, dict[str, str]]
"""The body and the headers of a webhook."""


@dataclass(frozen=True)
class Site:
    """Replacements for the page's placeholders in the tests."""

    service: str
    other: str
    key: str
    received: list[News]

    def snippets(self, language: str) -> Iterator[tuple[int, str]]:
        """Yield the line and the code of each snippet."""
        page = PAGE.read_text()
        for match in SNIPPET.finditer(page):
            if match["language"] == language:
                code = match["code"].replace("http://127.0.0.1:8000", self.service)
                line = page.count("\n", 0, match.start("code")) + 1
                yield line, code.replace("https://example.com", self.other)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files named on the page.

    The speech is shortened; the lecture lasts long enough to be canceled.
    """
    folder = tmp_path_factory.mktemp("folder")
    shutil.copy(EXAMPLES / "portrait.jpg", folder)
    speech = str(EXAMPLES / "speech.wav")
    with wave.open(speech) as whole:
        sound, rate = whole.readframes(whole.getnframes()), whole.getframerate()
        for name, samples in (
            ("speech.wav", sound[: 2 * int(SECONDS_OF_SPEECH * rate)]),
            ("lecture.wav", REPEATED * sound),
        ):
            with wave.open(str(folder / name), "wb") as file:
                file.setparams(whole.getparams())
                file.writeframes(samples)
    return folder


@pytest.fixture(scope="module")
def site(system: Standalone, api_key: str, folder: Path) -> Iterator[Site]:
    received: list[News] = []
    with web_server(folder, received) as other:
        yield Site(system.url, other, api_key, received)


class Handler(SimpleHTTPRequestHandler):
    """Serves files, and records received webhooks."""

    def __init__(self, *arguments: Any, received: list[News], **options: Any) -> None:
        self._received = received
        super().__init__(*arguments, **options)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self._received.append((body, dict(self.headers)))
        self.send_response(204)
        self.end_headers()


@contextmanager
def web_server(folder: Path, received: list[News]) -> Iterator[str]:
    """Serve a folder on loopback and receive webhooks; yield the URL."""
    handler = partial(Handler, directory=str(folder), received=received)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_it_names_every_field_of_a_request_and_of_a_job() -> None:
    named = set(re.findall(r"`(\w+)`", PAGE.read_text()))
    fields = {*JobRequest.model_fields, *JobDocument.model_fields}
    assert not fields - named


def test_its_python_snippets_run(
    site: Site,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setenv("AMIGO_API_KEY", site.key)
    names: dict[str, Any] = {"__name__": "page"}
    for line, code in site.snippets("python"):
        exec(compile("\n" * (line - 1) + code, PAGE, "exec"), names)
    names["amigo"].close()
    assert (folder / "out.mp4").read_bytes()[4:8] == b"ftyp"
    assert (folder / "poster.jpg").read_bytes()[:2] == b"\xff\xd8"
    assert (folder / "landmarks.npz").read_bytes()[:2] == b"PK"
    assert isinstance(names["outcomes"][1], ApiProblem)
    assert names["found"].metadata == {"scene": "3"}
    printed = capsys.readouterr().out
    for words in ("consent_required", "100%", "canceled", "422 portrait_unreadable"):
        assert words in printed
    monkeypatch.setenv("WEBHOOK_SECRET", names["secret"])
    body, headers = wait_for(lambda: site.received)[0]
    assert names["on_webhook"](body, headers) == 204
    assert names["on_webhook"](body + b" ", headers) == 401


@pytest.mark.skipif(
    not (shutil.which("curl") and shutil.which("jq")),
    reason="no curl or jq on this machine; `apt-get install curl jq` has them",
)
def test_its_shell_snippets_run(site: Site, folder: Path) -> None:
    bin_folder = Path(sys.executable).parent  # where `amigo` is
    commands = "".join(f"echo 'line {line}' >&2\n{code}\n" for line, code in site.snippets("sh"))
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands],
        cwd=folder,
        env={"PATH": f"{bin_folder}:/usr/bin:/bin", "AMIGO_API_KEY": site.key},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert (folder / "video.mp4").read_bytes()[4:8] == b"ftyp"
    assert (folder / "landmarks.json").read_text()[0] == "{"
    assert len(list((folder / "videos").iterdir())) == 2
    assert (folder / "again.npz").read_bytes()[:2] == b"PK"
    assert "event: job" in done.stdout
    *_, code, created = done.stdout.splitlines()
    assert code == "job_not_found"
    assert int(created) >= 4


@needs_chromium
def test_its_javascript_snippets_run(site: Site, folder: Path) -> None:
    script = "".join(code for _, code in site.snippets("js"))
    told = "{status: job.status, bytes: +video.headers.get('Content-Length'), code: problem.code}"
    function = f"async (AMIGO_API_KEY) => {{\n{script}\nreturn {told};\n}}"
    with chromium() as browser:
        page = browser.new_page()
        page.goto(site.service)
        page.set_input_files("input[name=portrait]", folder / "portrait.jpg")
        page.set_input_files("input[name=audio]", folder / "speech.wav")
        outcome = page.evaluate(textwrap.dedent(function), site.key)
    assert outcome["status"] == "succeeded"
    assert outcome["bytes"] > 1000
    assert outcome["code"] == "job_not_found"
