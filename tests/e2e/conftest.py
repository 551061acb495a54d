"""The whole system, once for all tests in this folder: what `amigo serve` runs, on free ports."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from amigo import AmigoClient
from deploy.standalone.system import Standalone

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="package")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standalone]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AMIGO_LOCAL_URLS", "true")  # what tests have fetched and told is on loopback
        patch.setenv("AMIGO_WEBHOOK_PAUSE_SECONDS", "0.2")
        patch.setenv("AMIGO_WEBHOOK_HOURS", str(15 / 3600))  # a day would be long for a test
        with Standalone(tmp_path_factory.mktemp("amigo")) as running:
            yield running


@pytest.fixture
def client(system: Standalone) -> Iterator[AmigoClient]:
    with AmigoClient(system.url) as connected:
        yield connected


@pytest.fixture(scope="session")
def portrait() -> Path:
    return EXAMPLES / "portrait.jpg"


@pytest.fixture(scope="session")
def speech() -> Path:
    return EXAMPLES / "speech.wav"
