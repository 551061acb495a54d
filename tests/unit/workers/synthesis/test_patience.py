import pytest

from jobs.errors import JobNotFound, StorageUnavailable
from workers.synthesis.patience import LONGEST_PAUSE, Patience


class Flaky:
    """Fails the given number of times, then returns 42."""

    def __init__(self, failures: int, error: Exception | None = None) -> None:
        self.failures = failures
        self.calls = 0
        self.error = error or StorageUnavailable("The object store did not answer.")

    def __call__(self) -> int:
        self.calls += 1
        if self.calls <= self.failures:
            raise self.error
        return 42


def test_what_answers_in_the_end_is_returned() -> None:
    assert Patience(60, sleep=lambda _: None).call(Flaky(4)) == 42


def test_pauses_grow_to_a_bound_and_patience_ends() -> None:
    pauses: list[float] = []
    flaky = Flaky(1000)
    with pytest.raises(StorageUnavailable):
        Patience(20, sleep=pauses.append).call(flaky)

    assert pauses[:3] == [0.2, 0.4, 0.8]
    assert max(pauses) == LONGEST_PAUSE
    assert 20 <= sum(pauses) < 20 + LONGEST_PAUSE


def test_an_error_that_waiting_does_not_mend_is_raised_at_once() -> None:
    flaky = Flaky(1, JobNotFound("No job has this id."))
    with pytest.raises(JobNotFound):
        Patience(60, sleep=lambda _: None).call(flaky)
    assert flaky.calls == 1
