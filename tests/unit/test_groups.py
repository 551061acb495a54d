"""Tests that share a system run together, and end together once one has waited in vain."""

from types import SimpleNamespace
from typing import Any

import pytest

from tests import conftest
from tests.waiting import PATIENCE

FIRST, NEXT = "tests/e2e/test_client.py::test_a", "tests/e2e/test_page.py::test_b"
ELSEWHERE = "tests/integration/jobs/test_queue.py::test_c"


@pytest.fixture
def run() -> Any:
    """Report a failure of FIRST after the given seconds, then begin another test."""

    def report_and_begin(seconds: float, nodeid: str) -> None:
        config = SimpleNamespace(stash=pytest.Stash())
        item: Any = SimpleNamespace(config=config, nodeid=FIRST)
        call: Any = SimpleNamespace(duration=seconds)
        report: Any = SimpleNamespace(failed=True)
        wrapper = conftest.pytest_runtest_makereport(item, call)
        next(wrapper)
        with pytest.raises(StopIteration):
            wrapper.send(report)
        following: Any = SimpleNamespace(config=config, nodeid=nodeid)
        conftest.pytest_runtest_setup(following)

    return report_and_begin


def test_tests_of_a_shared_system_are_one_group() -> None:
    assert conftest.group_of(FIRST) == conftest.group_of(NEXT) != conftest.group_of(ELSEWHERE)


def test_after_a_test_waited_in_vain_the_others_of_its_group_fail_at_once(run: Any) -> None:
    with pytest.raises(pytest.fail.Exception, match=FIRST):
        run(PATIENCE, NEXT)


@pytest.mark.parametrize(("seconds", "nodeid"), [(PATIENCE / 2, NEXT), (PATIENCE, ELSEWHERE)])
def test_after_any_other_failure_they_run(run: Any, seconds: float, nodeid: str) -> None:
    run(seconds, nodeid)
