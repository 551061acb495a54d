from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from starlette.testclient import TestClient

from service.app import create_app
from service.components import Components
from service.settings import ServiceSettings
from tests.decoders import DirectDecoder
from tests.unit.service.fakes import FakeAssetRoom, FakeQueue, FakeStorage, FakeStore, FakeWatcher


@dataclass(frozen=True)
class Backstage:
    """What lies behind the app under test."""

    store: FakeStore
    storage: FakeStorage
    queue: FakeQueue
    watcher: FakeWatcher
    asset_room: FakeAssetRoom


@pytest.fixture
def backstage() -> Backstage:
    return Backstage(FakeStore(), FakeStorage(), FakeQueue(), FakeWatcher(), FakeAssetRoom())


@pytest.fixture
def service_settings() -> ServiceSettings:
    return ServiceSettings(portrait_max_bytes=100_000, audio_max_bytes=200_000, audio_max_seconds=5)


@pytest.fixture
def http(backstage: Backstage, service_settings: ServiceSettings) -> Iterator[TestClient]:
    components = Components.wire(
        service_settings,
        backstage.store,
        backstage.storage,
        backstage.queue,
        backstage.watcher,
        DirectDecoder(),
        backstage.asset_room,
    )
    app = create_app(service_settings, components)
    with TestClient(app, base_url="http://127.0.0.1") as client:
        yield client
