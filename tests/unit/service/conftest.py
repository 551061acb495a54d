from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from service.settings import ServiceSettings
from tests.fakes.backstage import Backstage

SETTINGS = ServiceSettings(portrait_max_bytes=100_000, audio_max_bytes=200_000, audio_max_seconds=5)


@pytest.fixture
def backstage() -> Backstage:
    return Backstage()


@pytest.fixture
def service_settings() -> ServiceSettings:
    return SETTINGS


@pytest.fixture(scope="session")
def shared_app() -> FastAPI:
    """An app of which each test replaces the components: building it takes longer than a test."""
    return Backstage().app(SETTINGS)


@pytest.fixture
def http(shared_app: FastAPI, backstage: Backstage) -> Iterator[TestClient]:
    shared_app.state.components = backstage.components(SETTINGS)
    with TestClient(shared_app, base_url="http://127.0.0.1") as client:
        yield client
