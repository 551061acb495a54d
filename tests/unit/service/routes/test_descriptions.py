"""How long to wait before the next poll."""

from datetime import timedelta

import pytest

from jobs.documents import JobDocument
from service.routes.descriptions import LONGEST_POLL_PAUSE, poll_pause
from tests.jobs_examples import new_job


@pytest.mark.parametrize(
    ("position", "eta_seconds", "pause"),
    [(None, None, 2), (1, None, 1), (9, None, 9), (None, 3.0, 1), (2, 42.0, 11), (90, 900.0, 30)],
)
def test_the_pause_grows_with_the_remaining_time(
    position: int | None, eta_seconds: float | None, pause: int
) -> None:
    document = JobDocument.of(new_job(), timedelta(hours=1))
    known = {"queue_position": position, "eta_seconds": eta_seconds}
    assert poll_pause(document.model_copy(update=known), 1) == pause


@pytest.mark.parametrize("jobs", [11, 100])
def test_all_jobs_of_a_key_polled_as_advised_stay_within_its_limit(jobs: int) -> None:
    documents = [
        JobDocument.of(new_job(), timedelta(hours=1)).model_copy(update={"queue_position": place})
        for place in range(1, jobs + 1)
    ]
    assert sum(60 / poll_pause(each, 1) for each in documents) < 600
    assert poll_pause(documents[-1], 1) <= LONGEST_POLL_PAUSE
