"""Server-sent events with a slow, failing or fast store."""

from datetime import UTC, datetime

import pytest
from starlette.testclient import TestClient

from jobs.errors import StoreUnavailable
from jobs.job import Job
from jobs.valkey.job_store import Event
from service.problems import ProblemType
from service.routes import events
from tests.event_stream import told
from tests.fakes.backstage import Backstage
from tests.jobs_examples import new_job
from tests.unit.service.assertions import assert_problem

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def job(backstage: Backstage) -> Job:
    """A job that is being processed."""
    job = new_job().claim(NOW)
    happen(backstage, job)
    return job


def happen(backstage: Backstage, job: Job) -> None:
    """Record a change of a job, without an announcement."""
    backstage.store.jobs[job.id] = job
    past = backstage.store.told.setdefault(job.id, [])
    past.append(Event(f"{len(past) + 1}-0", job))


def statuses(http: TestClient, job: Job) -> list[str]:
    """Follow a job to the end; return the statuses received."""
    with http.stream("GET", f"/v1/jobs/{job.id}/events") as response:
        assert response.status_code == 200
        return [event.job["status"] for event in told(response.iter_lines())]


def test_a_change_right_after_the_first_reading_is_sent_at_once(
    http: TestClient, backstage: Backstage, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "REREAD_SECONDS", 600.0)
    latest_event = backstage.store.latest_event

    def read_then_cancel(job_id: str) -> Event | None:
        latest = latest_event(job_id)
        happen(backstage, job.cancel(NOW))
        return latest

    monkeypatch.setattr(backstage.store, "latest_event", read_then_cancel)
    assert statuses(http, job) == ["processing", "canceled"]


def test_a_short_store_outage_does_not_end_a_stream(
    http: TestClient, backstage: Backstage, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "REREAD_SECONDS", 0.01)
    all_events, silences = backstage.store.events, iter([True, True, False])

    def be_silent_twice(job_id: str, after: str = "0-0") -> list[Event]:
        if after == "1-0" and next(silences, False):
            raise StoreUnavailable("connection refused")
        if after == "1-0":
            happen(backstage, job.cancel(NOW))
        return all_events(job_id, after)

    monkeypatch.setattr(backstage.store, "events", be_silent_twice)
    assert statuses(http, job) == ["processing", "canceled"]


def test_without_the_store_following_is_rejected(
    http: TestClient, backstage: Backstage, job: Job
) -> None:
    backstage.store.is_down = True
    assert_problem(http.get(f"/v1/jobs/{job.id}/events"), ProblemType.STORE_UNAVAILABLE)


def test_no_proxy_keeps_or_delays_the_events(http: TestClient, backstage: Backstage) -> None:
    job = new_job().cancel(NOW)
    happen(backstage, job)
    headers = http.get(f"/v1/jobs/{job.id}/events").headers
    assert headers["content-type"] == "text/event-stream; charset=utf-8"
    assert headers["cache-control"] == "no-store"
    assert headers["x-accel-buffering"] == "no"
