"""The programs of a system under test, each with a trap for its steps."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from deploy.standalone.child import Program
from deploy.standalone.processes import LOOPBACK, responds
from tests.faults.steps import FOLDER_VARIABLE, NAME_VARIABLE
from workers.synthesis.run_directory import RunDirectory

START_SECONDS = 90.0
"""Timeout for a program to become ready on a busy machine."""

HASTE = {
    "AMIGO_LOCAL_URLS": "true",
    "AMIGO_LEASE_SECONDS": "1",
    "AMIGO_RECONCILER_SECONDS": "0.2",
    "AMIGO_RETRY_MAX_SECONDS": "10",
    "AMIGO_RETRY_SECONDS": "1",
    "AMIGO_RETRY_PAUSE_SECONDS": "0.2",
    "AMIGO_SHUTDOWN_SECONDS": "1",
    "AMIGO_WEBHOOK_SECONDS": "3",
    "AMIGO_WEBHOOK_PAUSE_SECONDS": "0.2",
    "AMIGO_WEBHOOK_HOURS": str(120 / 3600),
    "AMIGO_DEVICE": "cpu",
    "AMIGO_PIPELINE": "tests.faults.pipeline:load",
}
"""Settings with which faults are detected and retried quickly, in seconds."""


def service_url(port: int) -> str:
    """Return the URL of a service."""
    return f"http://{LOOPBACK}:{port}"


def service(name: str, folder: Path, port: int, environment: Mapping[str, str]) -> Program:
    """Return an HTTP process on a port."""
    return _program(
        name,
        "service",
        folder,
        {
            **environment,
            "AMIGO_LISTEN_HOST": LOOPBACK,
            "AMIGO_LISTEN_PORT": str(port),
        },
        lambda: responds(f"{service_url(port)}/readyz"),
    )


def worker(name: str, folder: Path, port: int, environment: Mapping[str, str]) -> Program:
    """Return a worker, parent and child, with its metrics on a port."""
    directory = RunDirectory(folder / name)
    child_beat = directory.path / "child"
    return _program(
        name,
        "workers.synthesis",
        folder,
        {
            **environment,
            "AMIGO_RUN_DIRECTORY": str(directory.path),
            "AMIGO_METRICS_PORT": str(port),
        },
        child_beat.exists,
        leftovers=(child_beat,),
    )


def talkative(name: str, module: str, folder: Path, environment: Mapping[str, str]) -> Program:
    """Return the reconciler or the webhook sender; its first log line shows that it is running."""
    log = _log(folder, name)
    return _program(name, module, folder, environment, lambda: log.stat().st_size > 0)


def _program(
    name: str,
    module: str,
    folder: Path,
    environment: Mapping[str, str],
    is_ready: Callable[[], bool],
    leftovers: tuple[Path, ...] = (),
) -> Program:
    return Program(
        name=name,
        command=(sys.executable, "-m", "tests.faults.steps", module),
        log=_log(folder, name),
        is_ready=is_ready,
        env={**environment, FOLDER_VARIABLE: str(folder), NAME_VARIABLE: name},
        start_seconds=START_SECONDS,
        leftovers=leftovers,
    )


def _log(folder: Path, name: str) -> Path:
    return folder / "logs" / f"{name}.log"
