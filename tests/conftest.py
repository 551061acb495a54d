"""The real Valkey and the real SeaweedFS, for tests that ask for them."""

from collections.abc import Iterator
from typing import TypeVar

import pytest
from pydantic import SecretStr
from redis import Redis

from deploy.child import Child, Program
from deploy.processes import SeaweedServer, ValkeyServer
from jobs.settings import Settings
from jobs.storage import ObjectStorage
from jobs.store import JobStore

Server = TypeVar("Server")


@pytest.fixture(scope="session")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    """A Valkey server on loopback, started at the first test that needs it."""
    server = ValkeyServer(tmp_path_factory.mktemp("valkey"))
    yield from running(server.program(), server)


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SeaweedServer]:
    """A SeaweedFS server on loopback, started at the first test that needs it."""
    server = SeaweedServer(tmp_path_factory.mktemp("seaweedfs"))
    yield from running(server.program(), server)


def running(program: Program, server: Server) -> Iterator[Server]:
    """Yield the server while its program runs."""
    child = Child(program)
    child.start()
    try:
        child.wait_ready()
        yield server
    finally:
        child.bury()


@pytest.fixture
def valkey_url(valkey: ValkeyServer) -> str:
    """The address of an empty Valkey."""
    with Redis.from_url(valkey.url) as client:
        client.flushall()
    return valkey.url


@pytest.fixture
def s3_settings(s3: SeaweedServer) -> Settings:
    """Settings that lead to an empty bucket, and to no Valkey."""
    settings = Settings(
        valkey_url="redis://127.0.0.1:1/0",
        s3_endpoint_url=s3.url,
        s3_bucket=s3.bucket,
        s3_access_key=s3.access_key,
        s3_secret_key=SecretStr(s3.secret_key),
    )
    storage = ObjectStorage.connect(settings)
    for prefix in ("jobs/", "assets/", "keys/"):
        storage.delete_prefix(prefix)
    return settings


@pytest.fixture
def settings(valkey_url: str, s3_settings: Settings) -> Settings:
    """Settings that lead to an empty Valkey and an empty bucket."""
    return s3_settings.model_copy(update={"valkey_url": valkey_url})


@pytest.fixture
def store(valkey_url: str) -> JobStore:
    """A store without jobs."""
    return JobStore.connect(Settings(valkey_url=valkey_url))


@pytest.fixture
def storage(s3_settings: Settings) -> ObjectStorage:
    """A storage without objects."""
    return ObjectStorage.connect(s3_settings)
