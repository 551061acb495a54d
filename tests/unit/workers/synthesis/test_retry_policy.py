import pytest

from jobs.errors import JobNotFound, StorageUnavailable
from workers.synthesis.retry_policy import MAX_WAIT, RetryPolicy


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


def test_the_result_of_the_first_success_is_returned() -> None:
    assert RetryPolicy(60, sleep=lambda _: None).call(Flaky(4)) == 42


def test_waits_grow_to_a_bound_and_retries_end() -> None:
    waits: list[float] = []
    flaky = Flaky(1000)
    with pytest.raises(StorageUnavailable):
        RetryPolicy(20, sleep=waits.append).call(flaky)

    assert waits[:3] == [0.2, 0.4, 0.8]
    assert max(waits) == MAX_WAIT
    assert 20 <= sum(waits) < 20 + MAX_WAIT


def test_any_other_error_is_raised_at_once() -> None:
    flaky = Flaky(1, JobNotFound("No job has this id."))
    with pytest.raises(JobNotFound):
        RetryPolicy(60, sleep=lambda _: None).call(flaky)
    assert flaky.calls == 1
