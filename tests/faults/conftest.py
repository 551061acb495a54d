"""One system a module, and what it put to the test told at the end."""

from collections.abc import Iterator

import pytest

from tests.faults.system import FaultySystem
from tests.faults.tally import Tally

TALLY = pytest.StashKey[Tally]()


@pytest.fixture(scope="module")
def running_system(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[FaultySystem]:
    """A system with two workers that asks for keys, for all tests of a module."""
    folder = tmp_path_factory.mktemp("system")
    with FaultySystem(folder, workers=2, keys=True) as system:
        yield system
        system.begin_chapter()
        stash = request.config.stash
        stash[TALLY] = stash.get(TALLY, Tally()) + system.past


@pytest.fixture
def system(running_system: FaultySystem) -> FaultySystem:
    """The module's system, whole, with no jobs and a history of its own."""
    running_system.revive_all()
    running_system.begin_chapter()
    return running_system


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    if TALLY in config.stash:
        terminalreporter.write_line(f"faults: {config.stash[TALLY]}")
