"""One service for all attacks that a process makes."""

from collections.abc import Iterator

import pytest
from pydantic import SecretStr
from redis import Redis

from deploy.standalone.processes import SeaweedServer, ValkeyServer
from jobs.settings import Settings
from tests.security.bait import Listener, listening
from tests.security.target import Target, attacked


@pytest.fixture(scope="package")
def listener() -> Iterator[Listener]:
    with listening() as listener:
        yield listener


@pytest.fixture(scope="package")
def target(
    valkey: ValkeyServer,
    s3: SeaweedServer,
    listener: Listener,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Target]:
    with Redis.from_url(valkey.url) as client:
        client.flushall()
    settings = Settings(
        valkey_url=valkey.url,
        s3_endpoint_url=s3.url,
        s3_bucket=s3.bucket,
        s3_access_key=s3.access_key,
        s3_secret_key=SecretStr(s3.secret_key),
    )
    with attacked(settings, listener, tmp_path_factory.mktemp("attacked")) as target:
        yield target
