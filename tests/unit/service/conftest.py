from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from service.settings import ServiceSettings
from tests.unit.service.fakes import Backstage


@pytest.fixture
def backstage() -> Backstage:
    return Backstage()


@pytest.fixture
def service_settings() -> ServiceSettings:
    return ServiceSettings(portrait_max_bytes=100_000, audio_max_bytes=200_000, audio_max_seconds=5)


@pytest.fixture
def http(backstage: Backstage, service_settings: ServiceSettings) -> Iterator[TestClient]:
    app = backstage.app(service_settings)
    with TestClient(app, base_url="http://127.0.0.1") as client:
        yield client
