"""The `amigo` command, its errors and exit codes."""

import json
import subprocess
import sys
from pathlib import Path
from typing import get_args

import httpx
import pytest
from typer.testing import CliRunner

from client import cli, doctor
from client.client import AmigoClient
from client.doctor import Finding
from jobs.job import EmotionChoice
from tests.unit.client.answers import FAILED, JOB, PROCESSING, SUCCEEDED, Service, problem


@pytest.fixture
def runner() -> CliRunner:
    return CliRunner()


def serve_with(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(url: str) -> AmigoClient:
        return AmigoClient(url, transport=httpx.MockTransport(service))

    monkeypatch.setattr(cli, "AmigoClient", connect)


def test_submit_saves_the_video_and_says_what_was_heard(
    runner: CliRunner,
    monkeypatch: pytest.MonkeyPatch,
    portrait: Path,
    audio: Path,
    tmp_path: Path,
) -> None:
    service = Service(
        post=[JOB], get=[JOB, PROCESSING, SUCCEEDED], video=[httpx.Response(200, content=b"mp4")]
    )
    serve_with(service, monkeypatch)
    out = tmp_path / "out.mp4"
    arguments = ["submit", str(portrait), str(audio), "-o", str(out), "--consent"]
    result = runner.invoke(cli.app, [*arguments, "--emotion", "fear", "--no-blink", "--seed", "7"])
    assert result.exit_code == 0, result.output
    assert out.read_bytes() == b"mp4"
    assert f"{out}: 2.0 s, heard happiness" in result.stdout
    body = service.requests[0].content
    for part in (b"\r\n\r\nfear\r\n", b'name="blink"\r\n\r\nfalse', b'name="seed"\r\n\r\n7\r\n'):
        assert part in body


def test_a_failed_job_is_told_and_ends_with_1(
    runner: CliRunner, monkeypatch: pytest.MonkeyPatch, portrait: Path, audio: Path, tmp_path: Path
) -> None:
    serve_with(Service(post=[JOB], get=[FAILED]), monkeypatch)
    out = tmp_path / "out.mp4"
    result = runner.invoke(cli.app, ["submit", str(portrait), str(audio), "-o", str(out)])
    assert result.exit_code == 1
    assert "Job job_1 failed: The portrait shows no face. (no_face)" in result.stderr
    assert not out.exists()


def test_a_problem_is_told_and_ends_with_1(
    runner: CliRunner, monkeypatch: pytest.MonkeyPatch, portrait: Path, audio: Path
) -> None:
    serve_with(Service(post=[problem(422, "consent_required", "Consent [x] it.")]), monkeypatch)
    result = runner.invoke(cli.app, ["submit", str(portrait), str(audio), "-o", "out.mp4"])
    assert result.exit_code == 1
    assert "Error: Consent [x] it. (consent_required)" in result.stderr


def test_an_input_that_is_not_there_ends_with_2(runner: CliRunner, audio: Path) -> None:
    result = runner.invoke(cli.app, ["submit", "nowhere.jpg", str(audio), "-o", "out.mp4"])
    assert result.exit_code == 2
    assert "nowhere.jpg" in result.stderr


def test_the_command_offers_the_emotions_of_the_contract() -> None:
    assert get_args(cli.EmotionChoice) == get_args(EmotionChoice)


def test_the_service_that_runs_here_is_found(tmp_path: Path) -> None:
    assert cli.local_url(tmp_path) == cli.DEFAULT_URL
    (tmp_path / "standalone.json").write_text(json.dumps({"url": "http://127.0.0.1:12345"}))
    assert cli.local_url(tmp_path) == "http://127.0.0.1:12345"


def test_the_client_alone_imports_none_of_the_floors() -> None:
    script = (
        "import sys, client, client.cli; "
        "print([m for m in ('jobs', 'service', 'models', 'workers', 'deploy', 'torch') "
        "if m in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert result.stdout == "[]\n"


@pytest.mark.parametrize(
    ("finding", "code"),
    [
        (Finding("A", "1.0"), 0),
        (Finding("A", "absent", "pip install a"), 1),
        (Finding("A", "absent", "pip install a", required=False), 0),
    ],
)
def test_doctor_fails_for_what_is_required(
    runner: CliRunner, monkeypatch: pytest.MonkeyPatch, finding: Finding, code: int
) -> None:
    monkeypatch.setattr(doctor, "examine", lambda: [finding])
    result = runner.invoke(cli.app, ["doctor"])
    assert result.exit_code == code
    assert finding.name in result.stdout
    assert (finding.provide or "") in result.stdout
