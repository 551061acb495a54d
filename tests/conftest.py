"""The real Valkey and the real SeaweedFS, for tests that need them."""

import gc
import os
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from pydantic import SecretStr
from redis import Redis
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from deploy.standalone import processes
from deploy.standalone.child import Child, Program
from deploy.standalone.processes import SeaweedServer, ValkeyServer
from jobs.s3.object_store import ObjectStorage
from jobs.settings import Settings
from jobs.valkey.job_store import JobStore
from tests.waiting import PATIENCE

Server = TypeVar("Server")

TESTS = Path(__file__).parent

# The tests and their processes share few cores; more threads would only spin.
os.environ.setdefault("OMP_NUM_THREADS", "1")

PORT_SHARES = 16
"""Number of shares into which the ports are divided, one for each test process. A port looks free
until the program that it was drawn for starts, so two processes could draw the same one.
"""
_share = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % PORT_SHARES
processes.PORT_RANGE = processes.PORT_RANGE[_share::PORT_SHARES]

SHARED_SYSTEMS = (
    ("tests/e2e/",),
    ("tests/faults/test_messages.py", "tests/faults/test_silence.py", "tests/faults/test_steps.py"),
    ("tests/integration/deploy/",),
    tuple(f"tests/integration/models/test_{name}.py" for name in ("animate", "choices", "tones")),
    ("tests/unit/models/",),
)
"""Tests that share a running system, a pipeline, or what torch takes seconds to set up; a second
process would start a second."""

SLOWEST_FIRST = ("e2e", "faults", "security", "integration", "unit/models")
"""Slowest folders, run first so that the short tests fill the end of the run."""


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Keep the garbage collector away from the modules and the tests, none of which is garbage."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the slowest folders first."""
    items.sort(key=lambda item: rank_of(item.path.relative_to(TESTS)))


class GroupScheduling(LoadScopeScheduling):
    """Keeps the tests of a module, or of a shared system, in one process."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)


def group_of(nodeid: str) -> str:
    """Return the group of a test: its module, or the first module with the same shared system."""
    for modules in SHARED_SYSTEMS:
        if nodeid.startswith(modules):
            return modules[0]
    return nodeid.partition("::")[0]


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> GroupScheduling:
    return GroupScheduling(config, log)


def rank_of(path: Path) -> int:
    """Return the rank of the folder in the run."""
    ranks = (rank for rank, folder in enumerate(SLOWEST_FIRST) if path.is_relative_to(folder))
    return next(ranks, len(SLOWEST_FIRST))


HUNG = pytest.StashKey[dict[str, str]]()
"""By group, the first test that waited in vain."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note a failure after PATIENCE, which the next tests of a shared system would wait for too."""
    report = yield
    if report.failed and call.duration >= PATIENCE:
        item.config.stash.setdefault(HUNG, {}).setdefault(group_of(item.nodeid), item.nodeid)
    return report


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Fail at once where the group has waited in vain: a run that reports why beats one cut off."""
    if hung := item.config.stash.get(HUNG, {}).get(group_of(item.nodeid)):
        pytest.fail(f"Not run: {hung} waited in vain for what this test would use.", pytrace=False)


@pytest.fixture(scope="session", autouse=True)
def no_public_certificates(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let HTTP clients trust no public host: loading all certificates takes each 0.1 s."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("SSL_CERT_FILE", raising=False)
        patch.setenv("SSL_CERT_DIR", str(tmp_path_factory.mktemp("certificates")))
        yield


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
        child.clean_up()


@pytest.fixture(scope="session")
def addresses(valkey: ValkeyServer, s3: SeaweedServer) -> Settings:
    """Settings that lead to the shared Valkey and the shared bucket, whatever they hold."""
    return s3_at(s3).model_copy(update={"valkey_url": valkey.url})


def s3_at(s3: SeaweedServer) -> Settings:
    """Return settings that lead to a bucket, and to no Valkey."""
    return Settings(
        valkey_url="redis://127.0.0.1:1/0",
        s3_endpoint_url=s3.url,
        s3_bucket=s3.bucket,
        s3_access_key=s3.access_key,
        s3_secret_key=SecretStr(s3.secret_key),
    )


@pytest.fixture
def valkey_url(valkey: ValkeyServer) -> str:
    """The URL of an empty Valkey."""
    with Redis.from_url(valkey.url) as client:
        client.flushall()
    return valkey.url


@pytest.fixture(scope="session")
def bucket(s3: SeaweedServer) -> ObjectStorage:
    """The shared bucket, whatever it holds: connecting takes longer than most of its tests."""
    return ObjectStorage.connect(s3_at(s3))


@pytest.fixture
def s3_settings(s3: SeaweedServer, bucket: ObjectStorage) -> Settings:
    """Settings for a bucket without objects and without folders, and for no Valkey."""
    for folder in [each for page in bucket.prefixes("") for each in page]:
        bucket.delete_prefix(folder)
        bucket.delete_folders(folder)
    return s3_at(s3)


@pytest.fixture
def settings(valkey_url: str, s3_settings: Settings) -> Settings:
    """Settings for an empty Valkey and an empty bucket."""
    return s3_settings.model_copy(update={"valkey_url": valkey_url})


@pytest.fixture
def store(valkey_url: str) -> JobStore:
    """A store without jobs."""
    return JobStore.connect(Settings(valkey_url=valkey_url))


@pytest.fixture
def storage(s3_settings: Settings, bucket: ObjectStorage) -> ObjectStorage:
    """A storage without objects."""
    return bucket
