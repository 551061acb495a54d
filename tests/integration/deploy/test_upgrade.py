"""An upgrade from the last release and back, with jobs in flight, on the same stores."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from amigo import Client
from deploy.standalone.system import Standalone, environment
from tests.integration.deploy.conftest import PIPELINE
from tests.integration.deploy.standalone.test_system import status_of
from tests.integration.workers.pipelines import SLOW
from tests.media import babble, recording
from tests.processes import child_process
from tests.service_examples import portrait
from tests.waiting import PATIENCE, wait_for

RELEASE = "v0.2.0"
ROOT = Path(__file__).parents[3]

pytestmark = pytest.mark.thorough


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of the last release."""
    archive = subprocess.run(
        ["git", "-C", ROOT, "archive", RELEASE], capture_output=True, check=False
    )
    if archive.returncode:
        pytest.skip(f"the tag {RELEASE} is not in this clone")
    folder = tmp_path_factory.mktemp("release")
    subprocess.run(["tar", "-x", "-C", folder], input=archive.stdout, check=True)
    return folder


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory of the system, whichever version runs in it."""
    for name, value in PIPELINE.items():
        monkeypatch.setenv(name, value)
    return tmp_path / "system"


@contextmanager
def released(
    release: Path, *command: str, settings: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a module of the release, and stop it like a supervisor does."""
    variables = {**os.environ, **(settings or {}), "PYTHONPATH": str(release)}
    with child_process([sys.executable, "-m", *command], cwd=release, env=variables) as process:
        yield process
        process.terminate()
        process.wait(PATIENCE)


@contextmanager
def released_system(release: Path, directory: Path) -> Iterator[str]:
    """Run the release's whole system; yields its URL."""
    with released(release, "amigo", "serve", "--dir", str(directory)):
        yield wait_for(lambda: ready_url(directory))


def ready_url(directory: Path) -> str:
    """Return the URL of the system in a directory, or nothing until all its programs are ready."""
    try:
        status = status_of(directory)
    except FileNotFoundError:
        return ""
    is_ready = all(program["ready"] for program in status["programs"].values())
    return str(status["url"]) if is_ready else ""


def submit(client: Client, folder: Path, count: int) -> list[str]:
    """Submit jobs that take some seconds each."""
    (folder / "portrait.jpg").write_bytes(portrait())
    (folder / "speech.wav").write_bytes(recording(babble(3.0), "wav", "pcm_s16le"))
    return [
        client.submit(folder / "portrait.jpg", folder / "speech.wav", consent=True, seed=SLOW).id
        for _ in range(count)
    ]


def leave_in_flight(url: str, folder: Path) -> list[str]:
    """Submit three jobs and return once one of them is being processed."""
    with Client(url) as client:
        jobs = submit(client, folder, 3)
        wait_for(lambda: any(client.get(job).status == "processing" for job in jobs))
    return jobs


def require_videos(url: str, jobs: list[str]) -> None:
    with Client(url) as client:
        for job in jobs:
            ended = client.wait(job, timeout=PATIENCE)
            assert ended.has_succeeded, ended.failure


def test_jobs_in_flight_survive_an_upgrade_and_a_rollback(
    release: Path, directory: Path, tmp_path: Path
) -> None:
    with released_system(release, directory) as url:
        before = leave_in_flight(url, tmp_path)
    with Standalone(directory, print_line=lambda _: None) as system:
        require_videos(system.url, before)
        after = leave_in_flight(system.url, tmp_path)
    with released_system(release, directory) as url:
        require_videos(url, [*before, *after])


def test_a_worker_of_the_release_serves_this_version(
    release: Path, directory: Path, tmp_path: Path
) -> None:
    with Standalone(directory, print_line=lambda _: None) as system:
        system.scale(0)
        settings = environment(directory)
        with (
            released(release, "workers.synthesis", settings=settings),
            Client(system.url) as client,
        ):
            require_videos(system.url, submit(client, tmp_path, 2))
