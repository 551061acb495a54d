import asyncio
from threading import Event

import pytest

from jobs.errors import StorageUnavailable, StoreReadOnly
from service.readiness import Probe


class CountedComponent:
    """A component whose checks last until it is released, and are counted."""

    def __init__(self) -> None:
        self.checks = 0
        self.released = Event()
        self.error: Exception | None = None

    def ping(self) -> None:
        self.checks += 1
        self.released.wait()
        if self.error:
            raise self.error


@pytest.fixture
def component() -> CountedComponent:
    return CountedComponent()


@pytest.fixture
def always_stale(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.readiness.FRESH_SECONDS", 0.0)


def outage(probe: Probe) -> str | None:
    return asyncio.run(probe.outage())


@pytest.mark.usefixtures("always_stale")
def test_one_check_answers_all_who_ask_during_it(component: CountedComponent) -> None:
    async def ask() -> list[str | None]:
        probe = Probe(component)
        callers = [asyncio.create_task(probe.outage()) for _ in range(50)]
        await asyncio.sleep(0)
        component.released.set()
        return await asyncio.gather(*callers)

    component.error = StorageUnavailable("It does not respond.")
    assert asyncio.run(ask()) == [""] * 50
    assert component.checks == 1


@pytest.mark.usefixtures("always_stale")
def test_the_others_get_the_outcome_if_the_caller_who_asked_first_leaves(
    component: CountedComponent,
) -> None:
    async def ask() -> str | None:
        probe = Probe(component)
        first, second = (asyncio.create_task(probe.outage()) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.sleep(0)
        component.released.set()
        return await second

    assert asyncio.run(ask()) is None
    assert component.checks == 1


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (None, None),
        (StorageUnavailable("It does not respond."), ""),
        (StoreReadOnly("It refuses writes."), " (refuses writes)"),
    ],
)
def test_an_outcome_is_kept_for_a_while(
    component: CountedComponent,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception | None,
    expected: str | None,
) -> None:
    component.released.set()
    component.error = error
    probe = Probe(component)
    assert [outage(probe), outage(probe)] == [expected, expected]
    assert component.checks == 1
    monkeypatch.setattr("service.readiness.FRESH_SECONDS", 0.0)
    assert outage(probe) == expected
    assert component.checks == 2


def test_an_unexpected_error_is_raised_and_not_kept(component: CountedComponent) -> None:
    component.released.set()
    component.error = ZeroDivisionError()
    probe = Probe(component)
    with pytest.raises(ZeroDivisionError):
        outage(probe)
    component.error = None
    assert outage(probe) is None
