"""The whole system, once for all tests in this folder: what `amigo serve` runs, on free ports."""

import wave
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from amigo import Client
from deploy.standalone.system import Standalone
from tests.processes import end_of

EXAMPLES = Path(__file__).parents[2] / "examples"
SECONDS_OF_SPEECH = 1
SECONDS_LOOKED_AT = 3


@pytest.fixture(scope="package")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standalone]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(
            "AMIGO_LOCAL_URLS", "true"
        )  # URLs for fetching and webhooks in tests are on loopback
        patch.setenv("AMIGO_WEBHOOK_PAUSE_SECONDS", "0.2")
        with Standalone(tmp_path_factory.mktemp("amigo")) as running:
            yield running


@pytest.fixture(scope="package")
def client(system: Standalone) -> Iterator[Client]:
    with Client(system.url) as connected:
        yield connected


@pytest.fixture(scope="session")
def portrait() -> Path:
    return EXAMPLES / "portrait.jpg"


@pytest.fixture(scope="session")
def speech(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first second of the example, for tests that do not look at the pictures."""
    return start_of_example(SECONDS_OF_SPEECH, tmp_path_factory.mktemp("speech"))


@pytest.fixture(scope="session")
def longer_speech(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As much of the example as shows what the lips do."""
    return start_of_example(SECONDS_LOOKED_AT, tmp_path_factory.mktemp("speech"))


def start_of_example(seconds: int, folder: Path) -> Path:
    path = folder / "speech.wav"
    with wave.open(str(EXAMPLES / "speech.wav")) as whole, wave.open(str(path), "wb") as part:
        part.setparams(whole.getparams())
        part.writeframes(whole.readframes(seconds * whole.getframerate()))
    return path


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Function,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the ends of the system's logs if a test failed."""
    report = yield
    system = item.funcargs.get("system")
    if report.failed and isinstance(system, Standalone):
        programs = [process.program for process in system.processes]
        report.sections += [(f"log of {each.name}", end_of(each.log)) for each in programs]
    return report
