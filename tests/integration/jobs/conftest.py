"""A Valkey separate from the shared one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.standalone.child import Child
from deploy.standalone.processes import ValkeyServer


@pytest.fixture
def server(tmp_path: Path) -> ValkeyServer:
    return ValkeyServer(tmp_path)


@pytest.fixture
def child(server: ValkeyServer) -> Iterator[Child]:
    """A separate Valkey that a test may damage."""
    child = Child(server.program())
    child.start()
    try:
        child.wait_ready()
        yield child
    finally:
        child.clean_up()
