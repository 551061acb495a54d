"""One whole system for all tests in this folder, with API keys, traces and a small pipeline."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from deploy.standalone.system import Standalone
from tests.servers import LocalServer, content, serving
from tests.waiting import PATIENCE

TENANT = "acme"
PIPELINE = {
    "AMIGO_PIPELINE": "tests.integration.workers.pipelines:GreyPipeline",
    "AMIGO_DEVICE": "cpu",
    "AMIGO_RECONCILER_SECONDS": "0.5",
}
"""A small pipeline instead of the real one, and no wait for the reconciler."""


@pytest.fixture(scope="package")
def collector() -> Iterator[LocalServer]:
    """Receives the spans of all processes."""
    with serving(content(b"{}", Content_Type="application/json")) as collector:
        yield collector


@pytest.fixture(scope="package")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("system")


@pytest.fixture(scope="package")
def system(directory: Path, collector: LocalServer) -> Iterator[Standalone]:
    with ExitStack() as stack:
        with pytest.MonkeyPatch.context() as patch:  # ends here: other tests read these variables
            for name, value in {
                **PIPELINE,
                "AMIGO_AUTHENTICATION": "keys",
                "AMIGO_LOCAL_URLS": "true",
                "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
                "OTEL_BSP_SCHEDULE_DELAY": "100",
            }.items():
                patch.setenv(name, value)
            system = stack.enter_context(Standalone(directory, print_line=lambda _: None))
        yield system


@pytest.fixture(scope="package")
def api_key(system: Standalone, directory: Path) -> str:
    """An API key of TENANT."""
    return new_key(directory, TENANT)


def new_key(directory: Path, tenant: str) -> str:
    """Create an API key like a user, with a command next to the running system."""
    others = {name: value for name, value in os.environ.items() if not name.startswith("AMIGO_")}
    made = subprocess.run(
        [sys.executable, "-m", "amigo", "keys", "create", tenant, "--dir", str(directory)],
        env=others,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    return made.stdout.strip()
