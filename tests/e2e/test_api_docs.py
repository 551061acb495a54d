"""Runs every snippet of docs/api.md from the top of the page to its end, language by language.

They run against a service that requires API keys, on the same stores as the system.
"""

import re
import shutil
import subprocess
import sys
import textwrap
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from playwright.sync_api import sync_playwright

from amigo import ApiProblem
from deploy.standalone.child import Child, Program
from deploy.standalone.processes import answers, free_port
from deploy.standalone.system import Standalone
from jobs.documents import JobDocument
from jobs.settings import Settings
from jobs.valkey.api_keys import ApiKeyStore
from service.intake.requests import JobRequest
from tests.e2e.test_page import CHROMIUM
from tests.waiting import wait_for

PAGE = Path(__file__).parents[2] / "docs" / "api.md"
SNIPPET = re.compile(r"^```(?P<language>\w+)\n(?P<code>.*?)^```$", re.DOTALL | re.MULTILINE)
SECONDS_OF_SPEECH = 0.4

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
def folder(tmp_path_factory: pytest.TempPathFactory, portrait: Path, speech: Path) -> Path:
    """A folder with the files named on the page; the speech is shortened."""
    folder = tmp_path_factory.mktemp("folder")
    shutil.copy(portrait, folder / "portrait.jpg")
    with wave.open(str(speech)) as whole, wave.open(str(folder / "speech.wav"), "wb") as short:
        short.setparams(whole.getparams())
        short.writeframes(whole.readframes(int(SECONDS_OF_SPEECH * whole.getframerate())))
    return folder


@pytest.fixture(scope="module")
def site(
    system: Standalone, folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    directory = tmp_path_factory.mktemp("keyed")
    received: list[News] = []
    with (
        keyed_service(system, directory) as (url, key),
        web_server(folder, received) as other,
    ):
        yield Site(url, other, key, received)


def program_of(system: Standalone, name: str) -> Program:
    return next(process.program for process in system.processes if process.program.name == name)


@contextmanager
def keyed_service(system: Standalone, directory: Path) -> Iterator[tuple[str, str]]:
    """Run a second service with API keys on the system's stores; yield its URL and an API key."""
    service = program_of(system, "service")
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    own = {"AMIGO_AUTHENTICATION": "keys", "AMIGO_LISTEN_PORT": str(port)}
    program = replace(
        service,
        env={**service.env, **own},
        log=directory / "service.log",
        is_ready=lambda: answers(f"{url}/readyz"),
    )
    with pytest.MonkeyPatch.context() as patch, Child(program):
        for name, value in program.env.items():
            patch.setenv(name, value)
        _, key = ApiKeyStore.connect(Settings()).create("reader-of-the-page")
        yield url, key


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


def test_its_python_makes_follows_and_fetches_videos(
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
def test_its_commands_do_so_too(site: Site, folder: Path) -> None:
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


@pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium on this machine; `apt-get install chromium` has it"
)
def test_its_javascript_does_so_too(site: Site, folder: Path) -> None:
    script = "".join(code for _, code in site.snippets("js"))
    told = "{status: job.status, bytes: +video.headers.get('Content-Length'), code: problem.code}"
    function = f"async (AMIGO_API_KEY) => {{\n{script}\nreturn {told};\n}}"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-background-networking"]
        )
        page = browser.new_page()
        page.goto(site.service)
        page.set_input_files("input[name=portrait]", folder / "portrait.jpg")
        page.set_input_files("input[name=audio]", folder / "speech.wav")
        outcome = page.evaluate(textwrap.dedent(function), site.key)
        browser.close()
    assert outcome["status"] == "succeeded"
    assert outcome["bytes"] > 1000
    assert outcome["code"] == "job_not_found"
