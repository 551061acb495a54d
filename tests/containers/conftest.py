"""The images, built once, and the stack that runs from them."""

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.containers.engine import Engine
from tests.containers.offline import SERVERS, make_python_image, make_store_image
from tests.containers.stack import Stack
from tests.waiting import wait_for

PYTHON_IMAGE = "docker.io/library/python:3.11-slim-bookworm"
IMAGES = {"amigo-service": "service", "amigo-worker:cpu": "worker"}
"""The images, and the target of the Dockerfile for each."""

READY = {
    "service": "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/readyz', timeout=4)",
    "worker-cpu": "from workers.synthesis.health import main; main()",
}
"""Python that succeeds in a container once its process is ready."""


@pytest.fixture(scope="session", autouse=True)
def no_public_certificates() -> None:
    """Keep the certificates: the engine gets images and packages from public hosts."""


@pytest.fixture(scope="session")
def engine() -> Engine:
    """The engine, with all images."""
    engine = Engine.find()
    if engine is None:
        pytest.skip("neither docker nor podman is installed")
    source = os.environ.get("AMIGO_IMAGES")
    if source == "given":
        return engine
    if source == "offline":
        if not engine.has_image(PYTHON_IMAGE):
            make_python_image(engine, PYTHON_IMAGE)
        for image in SERVERS:
            if not engine.has_image(image):
                make_store_image(engine, image, PYTHON_IMAGE)
    for image, target in IMAGES.items():
        index = os.environ.get("AMIGO_TORCH_INDEX", "https://download.pytorch.org/whl/cpu")
        engine.build(image, target, {"TORCH_INDEX": index})
    return engine


@pytest.fixture(scope="session")
def stack(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The services of docker-compose.yml, ready for jobs."""
    stack = Stack(engine, tmp_path_factory.mktemp("stack"))
    try:
        stack.start()
        for service, check in READY.items():
            wait_for(partial(succeeds, stack, service, check))
        yield stack
    finally:
        stack.remove()


def succeeds(stack: Stack, service: str, python: str) -> bool:
    """Return whether Python code ends without an error in a running container."""
    name = stack.name(service)
    assert stack.engine.state(name)["Running"], stack.engine.logs(name)
    try:
        stack.engine.execute(name, "python", "-c", python)
    except RuntimeError:
        return False
    return True


@pytest.fixture(scope="session")
def token(stack: Stack) -> str:
    """An API key, created in the service's container as docs/running.md shows."""
    return stack.engine.execute(stack.name("service"), "amigo", "keys", "create", "me").strip()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that containers can write to."""
    tmp_path.chmod(0o777)
    return tmp_path
