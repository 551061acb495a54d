"""What is imported once is no work for the garbage collector."""

import gc
from collections.abc import Iterator

import pytest

from media.imports import kept_until_exit


@pytest.fixture(autouse=True)
def thawed() -> Iterator[None]:
    yield
    gc.unfreeze()


def test_nothing_is_collected_within_the_context() -> None:
    with kept_until_exit():
        assert not gc.isenabled()
    assert gc.isenabled()


def test_objects_that_exist_afterwards_are_not_collected() -> None:
    before = gc.get_freeze_count()
    with kept_until_exit():
        kept = [[number] for number in range(100)]
    assert gc.get_freeze_count() >= before + len(kept)
    assert not any(each is kept for each in gc.get_objects())


def test_collection_resumes_after_a_failed_import() -> None:
    with pytest.raises(ImportError), kept_until_exit():
        raise ImportError
    assert gc.isenabled()
