"""How long to wait before the next poll."""

import pytest

from service.routes.presenter import LONGEST_POLL_PAUSE, poll_pause


@pytest.mark.parametrize(
    ("position", "eta_seconds", "pause"),
    [(None, None, 2), (1, None, 1), (9, None, 9), (None, 3.0, 1), (2, 42.0, 11), (90, 900.0, 30)],
)
def test_the_pause_grows_with_the_remaining_time(
    position: int | None, eta_seconds: float | None, pause: int
) -> None:
    assert poll_pause(position, eta_seconds, 1) == pause


@pytest.mark.parametrize("jobs", [11, 100])
def test_all_jobs_of_a_key_polled_as_advised_stay_within_its_limit(jobs: int) -> None:
    pauses = [poll_pause(place, None, 1) for place in range(1, jobs + 1)]
    assert sum(60 / pause for pause in pauses) < 600
    assert pauses[-1] <= LONGEST_POLL_PAUSE
