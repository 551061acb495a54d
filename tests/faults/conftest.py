"""One system for all modules that need no other, and its statistics at the end."""

from collections.abc import Generator, Iterator

import pytest

from tests.faults.system import FaultySystem, NotAtRest, PromiseBroken
from tests.faults.tally import Tally

TOLD = (PromiseBroken, NotAtRest)
"""Errors that contain the history themselves."""

TALLY = pytest.StashKey[Tally]()


@pytest.fixture(scope="package")
def running_system(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[FaultySystem]:
    """A system with two workers and API keys."""
    folder = tmp_path_factory.mktemp("system")
    with FaultySystem(folder, workers=2, keys=True) as system:
        yield system
        system.begin_chapter()
        stash = request.config.stash
        stash[TALLY] = stash.get(TALLY, Tally()) + system.past


@pytest.fixture
def system(running_system: FaultySystem) -> FaultySystem:
    """The running system, repaired, without jobs and with a new history."""
    running_system.heal()
    running_system.begin_chapter()
    return running_system


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Function, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the history of a system if its test failed, unless the error contains it."""
    report = yield
    system = item.funcargs.get("system")
    if call.excinfo is None or call.excinfo.errisinstance(TOLD):
        return report
    if report.failed and isinstance(system, FaultySystem):
        report.sections.append(("what happened", system.report()))
    return report


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    if TALLY in config.stash:
        terminalreporter.write_line(f"faults: {config.stash[TALLY]}")
