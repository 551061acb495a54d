"""The `amigo` command, its errors and exit codes."""

import json
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import get_args

import httpx
import pytest
from typer.testing import CliRunner, Result

from amigo import AsyncClient, Client
from amigo.choices import EmotionChoice as OfferedEmotion
from amigo.cli import doctor, main, options
from amigo.cli.doctor import Finding
from jobs.options import EmotionChoice
from tests.unit.amigo.answers import FAILED, JOB, PROCESSING, SUCCEEDED, Service, problem
from tests.unit.amigo.clock import Clock

Amigo = Callable[..., Result]


def video() -> httpx.Response:
    return httpx.Response(200, content=b"mp4")


@pytest.fixture
def runner() -> CliRunner:
    return CliRunner()


@pytest.fixture
def amigo(runner: CliRunner, monkeypatch: pytest.MonkeyPatch, clock: Clock) -> Amigo:
    """Runs the command against a service."""

    def run(service: Service, *arguments: object) -> Result:
        transport = httpx.MockTransport(service)
        for module, client in (("amigo.client", Client), ("amigo.cli.batch", AsyncClient)):
            connected = partial(client, transport=transport)
            monkeypatch.setattr(f"{module}.{client.__name__}", connected)
        return runner.invoke(main.app, [str(argument) for argument in arguments])

    return run


def test_submit_saves_the_video_and_prints_the_detected_emotion(
    amigo: Amigo, portrait: Path, audio: Path, tmp_path: Path
) -> None:
    service = Service(post=[JOB], get=[JOB, PROCESSING, SUCCEEDED], video=[video()])
    out = tmp_path / "out.mp4"
    options = ["--consent", "--emotion", "fear", "--no-blink", "--seed", 7, "--mark"]
    options += ["--metadata", "scene=3"]
    result = amigo(service, "submit", portrait, audio, "-o", out, *options)
    assert result.exit_code == 0, result.output
    assert out.read_bytes() == b"mp4"
    assert f"{out}: 2.0 s, detected emotion: happiness" in result.stdout
    body = service.requests[0].content
    for part in (
        b"\r\n\r\nfear\r\n",
        b'name="blink"\r\n\r\nfalse',
        b'name="seed"\r\n\r\n7\r\n',
        b'name="mark"\r\n\r\ntrue\r\n',
        b'name="consent"\r\n\r\ntrue',
        b'name="metadata"\r\n\r\n{"scene": "3"}',
    ):
        assert part in body


def test_many_pairs_make_many_videos(
    amigo: Amigo, portrait: Path, audio: Path, tmp_path: Path
) -> None:
    service = Service(post=[JOB], get=[SUCCEEDED], video=[video()])
    pairs = [portrait, audio, portrait, audio, portrait, "https://a/voices/other.mp3?x=1"]
    result = amigo(
        service, "submit", "--consent", *pairs, "-d", tmp_path / "out", "--parallel", 2, "--json"
    )
    assert result.exit_code == 0, result.output
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["portrait-other.mp4", "portrait-speech-2.mp4", "portrait-speech.mp4"]
    printed = [json.loads(line) for line in result.stdout.splitlines()]
    assert [job["status"] for job in printed] == ["succeeded"] * 3


def test_one_bad_pair_does_not_stop_the_others(
    amigo: Amigo, portrait: Path, audio: Path, tmp_path: Path
) -> None:
    refusal = problem(422, "portrait_unreadable", "No picture.")
    service = Service(post=[refusal, JOB], get=[SUCCEEDED], video=[video()])
    pairs = [portrait, audio, portrait, audio]
    result = amigo(service, "submit", "--consent", *pairs, "-d", tmp_path / "out", "--parallel", 1)
    assert result.exit_code == 1
    assert "Error: portrait-speech: No picture. (portrait_unreadable)" in result.stderr
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["portrait-speech-2.mp4"]


def test_jobs_can_be_queued_without_waiting(amigo: Amigo, portrait: Path, audio: Path) -> None:
    service = Service(post=[JOB])
    result = amigo(service, "submit", portrait, audio, "--no-wait", "--consent")
    assert (result.exit_code, len(service.requests)) == (0, 1)
    assert result.stdout == "job_1\n"


def test_a_failed_job_is_reported_with_exit_code_1(
    amigo: Amigo, portrait: Path, audio: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.mp4"
    service = Service(post=[JOB], get=[FAILED])
    result = amigo(service, "submit", portrait, audio, "-o", out, "--consent")
    assert result.exit_code == 1
    assert "Job job_1 failed: The portrait shows no face. (no_face)" in result.stderr
    assert not out.exists()


def test_a_problem_is_reported_with_exit_code_1(amigo: Amigo, portrait: Path, audio: Path) -> None:
    service = Service(post=[problem(422, "portrait_unreadable", "No [x] picture.")])
    result = amigo(service, "submit", portrait, audio, "-o", "out.mp4", "--consent")
    assert result.exit_code == 1
    assert "No [x] picture. (portrait_unreadable)" in result.stderr


def test_consent_is_asked_for_before_anything_is_sent(
    amigo: Amigo, portrait: Path, audio: Path
) -> None:
    service = Service()
    result = amigo(service, "submit", portrait, audio, "-o", "out.mp4")
    assert result.exit_code == 2
    assert "Add --consent to affirm" in result.stderr
    assert not service.requests


@pytest.mark.parametrize("address", ["localhost:8000", "http://[::1", "http://", "8000"])
@pytest.mark.parametrize("arguments", [["submit", "--consent", "--no-wait"], ["status", "job_1"]])
def test_an_address_that_is_no_url_is_an_error(
    amigo: Amigo, portrait: Path, audio: Path, address: str, arguments: list[str]
) -> None:
    files = [portrait, audio] * (arguments[0] == "submit")
    result = amigo(Service(), *arguments, *files, "--url", address)
    assert result.exit_code == 1
    assert f"Error: '{address}' is not the URL of a service, such as http://" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["nowhere.jpg", "AUDIO", "-o", "out.mp4"], "nowhere.jpg"),
        (["PORTRAIT", "-o", "out.mp4"], "has no matching audio"),
        (["PORTRAIT", "AUDIO"], "Nowhere to save the video"),
        (["PORTRAIT", "AUDIO", "-o", "out.mp4", "--no-wait"], "Use only one of"),
        (["PORTRAIT", "AUDIO", "PORTRAIT", "AUDIO", "-o", "out.mp4"], "Use --output-dir"),
        (["PORTRAIT", "AUDIO", "--no-wait", "--metadata", "scene"], "NAME=VALUE"),
    ],
)
def test_an_invalid_command_line_exits_with_2(
    amigo: Amigo, portrait: Path, audio: Path, arguments: list[str], complaint: str
) -> None:
    files = {"PORTRAIT": portrait, "AUDIO": audio}
    service = Service()
    result = amigo(service, "submit", "--consent", *(files.get(each, each) for each in arguments))
    assert result.exit_code == 2
    assert complaint in result.stderr
    assert not service.requests


@pytest.mark.parametrize("arguments", [["submit"], ["status", "job_1"]])
@pytest.mark.parametrize(
    ("variable", "address"),
    [({}, "http://127.0.0.1:8000"), ({"AMIGO_URL": "http://box:81"}, "http://box:81")],
)
def test_without_a_service_the_error_says_how_to_start_one(
    amigo: Amigo,
    portrait: Path,
    audio: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    variable: dict[str, str],
    address: str,
    arguments: list[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("AMIGO_URL", raising=False)
    for name, value in variable.items():
        monkeypatch.setenv(name, value)
    refused = httpx.ConnectError("refused")
    service = Service(post=[refused], get=[refused])
    pairs = [portrait, audio, portrait, audio, "-d", tmp_path, "--consent"]
    pairs *= arguments == ["submit"]
    result = amigo(service, *arguments, *pairs)
    assert result.exit_code == 1
    assert f"Nothing answers at {address}: refused." in result.stderr
    assert result.stderr.count("make serve") == 1


def test_status_prints_the_state_of_a_job(amigo: Amigo) -> None:
    job = {**JOB, "eta": "2026-11-22T12:05:00Z", "metadata": {"scene": "[red]"}}
    result = amigo(Service(get=[job]), "status", "job_1")
    assert result.exit_code == 0
    for words in (
        ("status", "queued"),
        ("queue position", "2"),
        ("consent", "I have the right."),
        ("scene", "[red]"),
        ("ETA",),
    ):
        assert any(all(word in line for word in words) for line in result.stdout.splitlines())


def test_status_prints_the_whole_job_as_json(amigo: Amigo) -> None:
    result = amigo(Service(get=[SUCCEEDED]), "status", "job_1", "--json")
    assert json.loads(result.stdout)["a_member_of_a_newer_service"] == 1


def test_wait_exits_with_0_for_a_video_and_1_otherwise(amigo: Amigo, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    well = amigo(Service(get=[PROCESSING, SUCCEEDED], video=[video()]), "wait", "job_1", "-o", out)
    assert (well.exit_code, out.read_bytes()) == (0, b"mp4")
    ill = amigo(Service(get=[PROCESSING, FAILED]), "wait", "job_1", "--json")
    assert ill.exit_code == 1
    assert json.loads(ill.stdout)["failure"]["code"] == "no_face"
    late = amigo(Service(get=[PROCESSING]), "wait", "job_1", "--timeout", 3)
    assert late.exit_code == 1
    assert "did not end within 3 s" in late.stderr


def test_list_shows_no_more_than_asked_for(amigo: Amigo) -> None:
    page = {"jobs": [SUCCEEDED, {**FAILED, "id": "job_2"}, JOB], "next_cursor": "more"}
    service = Service(list=[page])
    options = ["--status", "failed", "--after", "2026-11-22T12:00:00", "--metadata", "scene=3"]
    result = amigo(service, "list", "--limit", 2, *options)
    assert result.exit_code == 0, result.output
    assert "no_face" in result.stdout
    assert len(service.requests) == 1
    asked = service.requests[0].url.params
    assert (asked["status"], asked["metadata[scene]"], asked["limit"]) == ("failed", "3", "2")
    assert asked["created_after"].startswith("2026-11-22T12:00:00")
    printed = amigo(Service(list=[page]), "list", "--limit", 2, "--json").stdout.splitlines()
    assert [json.loads(line)["id"] for line in printed] == ["job_1", "job_2"]


def test_cancel_and_delete_take_several_jobs(amigo: Amigo) -> None:
    service = Service(cancel=[{**JOB, "status": "canceled"}], delete=[httpx.Response(204)])
    assert "job_1 canceled" in amigo(service, "cancel", "job_1", "job_2").stdout
    assert "job_2 deleted" in amigo(service, "delete", "job_1", "job_2").stdout
    methods = [(request.method, request.url.path) for request in service.requests]
    assert methods == [
        ("POST", "/v1/jobs/job_1/cancel"),
        ("POST", "/v1/jobs/job_2/cancel"),
        ("DELETE", "/v1/jobs/job_1"),
        ("DELETE", "/v1/jobs/job_2"),
    ]


def test_download_saves_what_it_is_asked_for(amigo: Amigo, tmp_path: Path) -> None:
    service = Service(
        video=[video()],
        poster=[httpx.Response(200, content=b"jpg")],
        landmarks=[httpx.Response(200, content=b"npz")],
    )
    places = {"-o": "v.mp4", "--poster": "p.jpg", "--landmarks": "l.npz"}
    arguments = [part for option, name in places.items() for part in (option, tmp_path / name)]
    assert amigo(service, "download", "job_1", *arguments).exit_code == 0
    for name in places.values():
        assert (tmp_path / name).read_bytes() == name.rpartition(".")[2].encode()
    assert amigo(service, "download", "job_1").exit_code == 2


def test_the_command_offers_the_emotions_of_the_contract() -> None:
    assert get_args(OfferedEmotion) == get_args(EmotionChoice.__value__)


def test_the_service_that_runs_here_is_found(tmp_path: Path) -> None:
    assert options.service_url(None, tmp_path) == "http://127.0.0.1:8000"
    (tmp_path / "standalone.json").write_text(json.dumps({"url": "http://127.0.0.1:12345"}))
    assert options.service_url(None, tmp_path) == "http://127.0.0.1:12345"


def test_the_command_imports_nothing_that_only_some_verbs_need() -> None:
    script = (
        "import sys, amigo.cli.main; "
        "print([m for m in ('jobs', 'service', 'models', 'workers', 'deploy', 'torch', 'httpx', "
        "'pydantic') if m in sys.modules])"
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
    result = runner.invoke(main.app, ["doctor"])
    assert result.exit_code == code
    assert finding.name in result.stdout
    assert (finding.provide or "") in result.stdout


def test_a_command_whose_packages_are_not_installed_names_the_extra(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def lack() -> None:
        raise ModuleNotFoundError("No module named 'boto3'", name="boto3")

    monkeypatch.setattr(main, "app", lack)
    with pytest.raises(SystemExit, match="1"):
        main.main()
    assert "boto3: pip install 'amigo[standalone]'" in " ".join(capsys.readouterr().err.split())
