"""The images and docker-compose.yml, built and run: `make containers`."""

import json
import wave
from pathlib import Path
from typing import Any

import av
import pytest

from tests.containers.conftest import IMAGES
from tests.containers.engine import ROOT, Engine
from tests.containers.stack import Stack, run_client
from tests.waiting import wait_for

pytestmark = [pytest.mark.thorough, pytest.mark.timeout(7200)]  # with the builds

SECOND = 25
"""Frames of a second of video."""

PORTRAIT, SPEECH = "/examples/portrait.jpg", "/examples/speech.wav"
SMALL = ("--resolution", "256", "--consent")
OURS = ("service", "reconciler", "webhooks", "worker-cpu")


def test_images_hold_no_more_than_their_process_needs(engine: Engine) -> None:
    for image in IMAGES:
        print(f"{image}: {engine.size(image) / 1e6:.0f} MB")
    has_torch = "import importlib.util as u; print(u.find_spec('torch') is not None)"
    assert printed(engine, "amigo-service", has_torch) == "False"
    assert printed(engine, "amigo-worker:cpu", "import torch; print(torch.version.cuda)") == "None"


@pytest.mark.parametrize("service", OURS)
def test_processes_run_without_any_privilege(stack: Stack, service: str) -> None:
    status = process_status(stack, service)
    assert status["Uid"].split()[:2] == ["10001", "10001"]
    assert int(status["CapEff"], 16) == int(status["CapBnd"], 16) == 0
    assert status["NoNewPrivs"] == "1"
    assert status["Seccomp"] == "2"  # the engine's default profile
    with pytest.raises(RuntimeError, match="Read-only file system"):
        stack.engine.execute(stack.name(service), "touch", "/app/file")


def test_a_posted_job_becomes_a_video_of_files_decoded_in_sandboxes(
    stack: Stack, token: str, folder: Path
) -> None:
    run_client(stack, folder, token, ["submit", PORTRAIT, SPEECH, "-o", "/out/video.mp4", *SMALL])
    with av.open(str(folder / "video.mp4")) as video:
        assert sum(1 for _ in video.decode(video=0)) > SECOND
    for service in ("service", "worker-cpu"):
        logs = stack.engine.logs(stack.name(service))
        assert "without a system call filter" not in logs


def test_stopping_a_worker_in_mid_job_loses_nothing(stack: Stack, token: str, folder: Path) -> None:
    def job() -> dict[str, Any]:
        document: dict[str, Any] = json.loads(client("status", job_id, "--json"))
        return document

    def client(*arguments: str) -> str:
        return run_client(stack, folder, token, arguments)

    # Too long for the worker to finish while it is being stopped.
    write_long_speech(folder / "long.wav", repetitions=8)
    inputs = (PORTRAIT, "/out/long.wav", *SMALL)
    job_id = json.loads(client("submit", *inputs, "--no-wait", "--json"))["id"]
    wait_for(lambda: job()["stage"] == "rendering")
    stack.stop("worker-cpu")
    state = stack.engine.state(stack.name("worker-cpu"))
    assert (state["ExitCode"], state["OOMKilled"]) == (0, False)
    assert job()["status"] == "queued"
    stack.engine("start", stack.name("worker-cpu"))
    assert json.loads(client("wait", job_id, "--json"))["status"] == "succeeded"


def write_long_speech(path: Path, repetitions: int) -> None:
    """Write the example speech several times in a row."""
    with wave.open(str(ROOT / "examples/speech.wav")) as speech, wave.open(str(path), "w") as long:
        long.setparams(speech.getparams())
        long.writeframes(speech.readframes(speech.getnframes()) * repetitions)


def process_status(stack: Stack, service: str) -> dict[str, str]:
    """Return the fields of /proc/1/status: of the process that started all others."""
    text = stack.engine.execute(stack.name(service), "cat", "/proc/1/status")
    return dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)


def printed(engine: Engine, image: str, code: str) -> str:
    """Return what Python code prints in a new container."""
    return engine("run", "--rm", "--network=none", image, "python", "-c", code).strip()
