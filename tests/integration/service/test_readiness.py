import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from pathlib import Path

import pytest

from deploy.standalone.child import Child
from deploy.standalone.processes import SeaweedServer
from jobs.s3.object_store import ObjectStorage
from service.settings import ServiceSettings
from tests.conftest import s3_at
from tests.integration.service.conftest import LiveService, serving
from tests.waiting import wait_for

CALLERS = 50  # more than the service has threads for its routes
LONGEST_SECONDS = 10.0  # 3 s for a frozen store, and a busy machine


@pytest.fixture
def seaweed(tmp_path: Path) -> SeaweedServer:
    return SeaweedServer(tmp_path / "seaweedfs")


@pytest.fixture
def volume_server(seaweed: SeaweedServer) -> Iterator[int]:
    """The process of SeaweedFS that holds the objects' bytes; the others know their names."""
    with Child(seaweed.program()) as child:
        yield volume_server_of(child)


def volume_server_of(child: Child) -> int:
    parts = Path(f"/proc/{child.pid}/task/{child.pid}/children").read_text().split()
    (volume,) = [p for p in parts if b"\0volume\0" in Path(f"/proc/{p}/cmdline").read_bytes()]
    return int(volume)


@pytest.fixture
def live(
    service_settings: ServiceSettings, seaweed: SeaweedServer, volume_server: int
) -> Iterator[LiveService]:
    own = s3_at(seaweed).model_dump(include={"s3_endpoint_url", "s3_access_key", "s3_secret_key"})
    with serving(service_settings.model_copy(update=own)) as live:
        yield live


def is_ready(live: LiveService) -> bool:
    return live.http.get("/readyz").status_code == HTTPStatus.OK


def test_a_store_of_frozen_objects_takes_the_service_out_of_rotation(
    live: LiveService, seaweed: SeaweedServer, volume_server: int
) -> None:
    assert is_ready(live)
    os.kill(volume_server, signal.SIGSTOP)
    try:
        wait_for(lambda: not is_ready(live), LONGEST_SECONDS)
        response = live.http.get("/readyz")
        assert response.json()["components"] == {"store": True, "storage": False}
        time.sleep(3.0)  # no longer fresh: the next ones wait for a check
        began = time.monotonic()
        with ThreadPoolExecutor(CALLERS) as callers:
            ready = set(callers.map(is_ready, [live] * CALLERS))
        assert ready == {False}
        assert time.monotonic() - began < LONGEST_SECONDS
    finally:
        os.kill(volume_server, signal.SIGCONT)
    wait_for(lambda: is_ready(live))
    assert list(ObjectStorage.connect(s3_at(seaweed)).objects("")) == []
